//! Templates whose time is over: those that still have connections last a while longer
//! (`ip_vs_conn_expire`).

use std::collections::HashMap;

use lvs_common::{
    conntable::{Bucket as _, Hit, shared::Row, word},
    net::Be32,
    template::Persistence,
};

use super::family::FamilyTable;

/// Templates that are due to end.
#[derive(Default)]
pub(super) struct Due<'t> {
    templates: Vec<(Hit<Row<'t>>, bool)>,
    /// Place of each template's key in the list.
    places: HashMap<(u64, u64), usize>,
    /// What the services of their real servers say.
    services: HashMap<u32, Persistence>,
}

impl<'t> Due<'t> {
    /// Another one. One whose service is gone has no connections that it could be known by.
    pub(super) fn add(&mut self, hit: Hit<Row<'t>>, persistence: Option<Persistence>) {
        let key = hit.entry.key();
        if let Some(persistence) = persistence {
            self.services.insert(hit.entry.dest(), persistence);
            self.places.insert((key.client, key.virtual_end), self.templates.len());
        }
        self.templates.push((hit, false));
    }

    /// Whether there are any.
    pub(super) fn is_some(&self) -> bool {
        !self.templates.is_empty()
    }

    /// Looks which of them have connections in the table.
    pub(super) fn look_for_holders(&mut self, family: &FamilyTable) {
        for hit in family.view().hits() {
            let place = self.held_by(family, &hit);
            if let Some((_, is_held)) = place.and_then(|place| self.templates.get_mut(place)) {
                *is_held = true;
            }
        }
    }

    /// Lets those that have connections last for `lifetime`, ticks, to `later`; the others.
    pub(super) fn prolong(self, lifetime: u32, later: u32) -> impl Iterator<Item = Hit<Row<'t>>> {
        self.templates.into_iter().filter_map(move |(hit, is_held)| {
            if !is_held {
                return Some(hit);
            }
            let place = word::at(hit.way, 3);
            let (_, port) = word::split(hit.bucket.load(place));
            hit.bucket.store(place, word::end(Be32::from_raw(lifetime), port));
            hit.bucket.touch(word::at(hit.way, 2), later);
            None
        })
    }

    /// The place of the template that a connection was made by.
    fn held_by(&self, family: &FamilyTable, hit: &Hit<Row<'_>>) -> Option<usize> {
        let service = self.services.get(&hit.entry.dest())?;
        let templated = hit.peer()? & word::TEMPLATED != 0;
        if !templated || hit.entry.protocol() == word::TEMPLATE {
            return None;
        }
        let key = family.template(hit, *service)?;
        self.places.get(&(key.client, key.virtual_end)).copied()
    }
}
