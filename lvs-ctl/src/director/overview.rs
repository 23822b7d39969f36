//! The director as a whole: for those who watch it.

use super::{Director, ListQuery, PageQuery, ServiceEntry, Status};
use crate::{dataplane::DataPlane, model::PlaneStatus};

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
}
