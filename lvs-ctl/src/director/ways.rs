//! The way to each real server, as it was last said.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use tokio::sync::watch;

use crate::{
    dataplane::DataPlane,
    model::{NextHopStatus, Way},
};

/// Which addresses want a way, and how many of them have none said yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// How many of them have no way said yet.
    pub unknown: usize,
    /// Those to which there is no way, and why.
    pub unreachable: BTreeMap<IpAddr, String>,
}

/// Ways, and who waits for them.
#[derive(Debug, Default)]
pub(super) struct Ways {
    said: BTreeMap<IpAddr, Way>,
    wanted: watch::Sender<Wanted>,
    /// That of the wanted addresses.
    edition: Option<u64>,
}

impl Ways {
    /// Sends packets for an address a way, unless nobody is there any more.
    pub(super) fn set(&mut self, address: IpAddr, way: Way, plane: &mut dyn DataPlane) {
        if let Way::None(why) = &way {
            tracing::warn!(%address, %why, "no way to a real server");
        }
        if let Err(error) = plane.resolve(address, &way) {
            tracing::error!(%address, %error, "cannot change the way to a real server");
            return;
        }
        let why = if let Way::None(why) = &way { Some(why.clone()) } else { None };
        self.wanted.send_if_modified(|former| match why {
            Some(why) => former.unreachable.insert(address, why.clone()) != Some(why),
            None => former.unreachable.remove(&address).is_some(),
        });
        // Who is gone meanwhile may come back, and is asked for anew then.
        if self.wanted.borrow().addresses.contains(&address) {
            self.said.insert(address, way);
        }
    }

    /// Tells who waits which addresses the data plane wants now.
    pub(super) fn follow(&mut self, plane: &dyn DataPlane) {
        let (edition, unknown) = (plane.addresses_edition(), plane.unknown());
        if edition.is_some() && edition == self.edition {
            self.wanted.send_if_modified(|former| {
                let before = std::mem::replace(&mut former.unknown, unknown);
                before != unknown
            });
            return;
        }
        self.edition = edition;
        let addresses = plane.addresses();
        self.said.retain(|address, _| addresses.contains(address));
        let mut unreachable = self.wanted.borrow().unreachable.clone();
        unreachable.retain(|address, _| addresses.contains(address));
        let wanted = Wanted { addresses, unknown, unreachable };
        self.wanted.send_if_modified(|former| {
            let differs = *former != wanted;
            *former = wanted;
            differs
        });
    }

    /// What the data plane wants, whenever it changes.
    pub(super) fn watch(&self) -> watch::Receiver<Wanted> {
        self.wanted.subscribe()
    }

    /// For `lvs-ctl status`.
    pub(super) fn status(&self) -> Vec<NextHopStatus> {
        let wanted = self.wanted.borrow();
        let status = |address: &IpAddr| match self.said.get(address) {
            Some(Way::Hop(hop)) => NextHopStatus {
                dest: *address,
                interface: Some(hop.interface_name.clone()),
                mac: Some(lvs_common::net::Mac::new(hop.destination).to_string()),
                vlans: hop.tags.iter().map(|tag| tag.vlan).collect(),
                local: false,
                unresolved: None,
            },
            Some(Way::Local) => NextHopStatus {
                local: true,
                unresolved: None,
                ..unresolved(*address, String::new())
            },
            Some(Way::None(why)) => unresolved(*address, why.clone()),
            None => unresolved(*address, "being resolved".to_owned()),
        };
        wanted.addresses.iter().map(status).collect()
    }
}

fn unresolved(dest: IpAddr, why: String) -> NextHopStatus {
    NextHopStatus {
        dest,
        interface: None,
        mac: None,
        vlans: Vec::new(),
        local: false,
        unresolved: Some(why),
    }
}
