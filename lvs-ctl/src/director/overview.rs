//! The director as a whole: for those who watch it.

use super::{DestEntry, Director, ListQuery, PageQuery, ServiceEntry, Status, overlay::Known};
use crate::{
    dataplane::DataPlane,
    model::{
        Dest, PlaneStatus, ServiceId, VirtualService,
        health::{Admin, DestHealth, Effective, Health, ServiceHealth},
    },
};

impl<D: DataPlane> Director<D> {
    /// Some services with counters, by identity: a whole listing in pieces, between which others get
    /// their turn.
    #[must_use]
    pub fn page(&self, query: &PageQuery) -> Vec<ServiceEntry> {
        let with_counters = ListQuery { stats: true, ..ListQuery::default() };
        let mut dests = 0;
        let services = self.table.services_after(query.after.as_ref()).take_while(|entry| {
            let goes_on = dests < query.enough;
            dests += entry.pool.len().max(1);
            goes_on
        });
        services.map(|entry| self.service_entry(entry, &with_counters)).collect()
    }

    /// How the director is.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            revision: self.revision,
            services: self.table.services().len(),
            dests: self.table.services().map(|service| service.pool.len()).sum(),
            uptime_s: self.done.since.elapsed().as_secs(),
            changes_applied: self.done.applied,
            changes_refused: self.done.refused,
            totals: self.statistics.totals(),
            plane: PlaneStatus { next_hops: self.ways.status(), ..self.plane.status() },
        }
    }

    /// How the operator described a service, and what its real servers get.
    pub(super) fn service_entry(&self, entry: &VirtualService, query: &ListQuery) -> ServiceEntry {
        let id = entry.service.id;
        let known = self.overlay.get(&id);
        let dests = entry.pool.iter().map(|real| {
            let addr = real.dest.addr;
            let gets = known.and_then(|known| known.gets(&addr));
            let health = entry.dest_rules.get(&addr).map(|rules| DestHealth::clone(&rules.health));
            DestEntry {
                effective: gets.filter(|gets| *gets != Effective::Weight(real.dest.weight)),
                state: known.map(|known| known.health(&addr)).unwrap_or_default(),
                admin: entry.admin(&addr),
                health: health.unwrap_or_default(),
                ..self.dest_entry(&id, real.dest, query)
            }
        });
        let sorry = entry.health.policy.sorry_server.filter(|sorry| {
            known.is_some_and(Known::is_sorry) && entry.pool.get(&sorry.addr).is_none()
        });
        let statistics = &self.statistics;
        ServiceEntry {
            service: entry.service.clone(),
            origin: entry.origin,
            stats: query.stats.then(|| statistics.service(&id, &self.plane)),
            rates: query.rates.then(|| statistics.service_rates(&id)),
            dests: dests.collect(),
            health: ServiceHealth::clone(&entry.health),
            quorum: known.map(Known::gate).unwrap_or_default(),
            sorry: sorry.map(|sorry| Box::new(self.dest_entry(&id, sorry, query))),
        }
    }

    fn dest_entry(&self, id: &ServiceId, dest: Dest, query: &ListQuery) -> DestEntry {
        let (statistics, plane, addr) = (&self.statistics, &self.plane, dest.addr);
        DestEntry {
            dest,
            effective: None,
            state: Health::Unknown,
            admin: Admin::default(),
            health: DestHealth::default(),
            load: plane.load(id, &addr),
            stand_in: plane.stand_in(id, &addr),
            stats: query.stats.then(|| statistics.dest(id, &addr, plane)),
            rates: query.rates.then(|| statistics.dest_rates(id, &addr)),
        }
    }
}
