//! What the director makes of the health of real servers.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::watch;

use super::{
    Checked, CheckedDest, CheckedService, Director, DirectorError, Event, HealthChange, Report,
    Who, audit::HealthRecord, overlay::Known,
};
use crate::{
    dataplane::DataPlane,
    model::{Dest, DestAddr, Invalid, ServiceId, VirtualService, health::CheckSpec},
};

impl<D: DataPlane> Director<D> {
    /// Which real servers are to be checked, whenever it changes.
    #[must_use]
    pub fn checked(&self) -> watch::Receiver<Arc<Checked>> {
        self.checked.subscribe()
    }

    /// Takes what a health engine found out, and makes packets go accordingly.
    pub fn health(&mut self, reports: &[Report]) {
        let causes = self.overlay.note(&self.table, reports);
        let mut touched: BTreeSet<ServiceId> = causes.keys().copied().collect();
        touched.append(&mut self.unsettled);
        if touched.is_empty() {
            return;
        }
        let mut table = self.table.clone();
        let (seen, known) =
            self.overlay.lay(&mut table, &self.seen, touched.iter().copied()).into_parts();
        let moved: BTreeSet<ServiceId> = known
            .iter()
            .filter(|(id, known)| known.as_ref().is_some_and(|known| self.moves(id, known)))
            .map(|(id, _)| *id)
            .collect();
        if !moved.is_empty() {
            let services: Vec<_> = moved.iter().copied().collect();
            let departing = self.statistics.departing(&seen, &moved, &self.plane);
            if let Err(error) = self.plane.commit(&seen, &services) {
                tracing::error!(%error, "the data plane does not follow the health of real servers");
                // Asked again with the next period.
                self.unsettled = touched;
                return;
            }
            self.statistics.settle(&seen, &moved, departing, &self.plane);
        }
        (self.table, self.seen) = (table, seen);
        let cause = |id: &ServiceId, dest: Option<&_>| {
            let known = causes.get(id).and_then(|causes| causes.get(&dest.copied()));
            known.cloned().unwrap_or_else(|| "others went or came".to_owned())
        };
        let changes = self.overlay.accept(known, cause);
        self.ways.follow(&self.plane);
        self.reset(&changes);
        self.tell(changes);
        self.remember_health();
    }

    /// Ends the connections of a real server at once, on somebody's behalf: how many there were.
    ///
    /// # Errors
    /// There is no such real server, or the data plane does not do it.
    pub fn reset_connections(
        &mut self,
        who: &Who,
        service: &ServiceId,
        dest: &DestAddr,
    ) -> Result<u64, DirectorError> {
        let refused = |invalid| DirectorError::Refused { index: 0, invalid };
        let entry = self.table.get(service).ok_or(refused(Invalid::ServiceNotDefined))?;
        entry.pool.get(dest).ok_or(refused(Invalid::NoDest))?;
        let ended = self.plane.reset(service, dest)?;
        super::audit::reset(who, service, dest, ended, self.revision);
        Ok(ended)
    }

    /// Makes the overlay's table the data plane's again, if that failed.
    pub(super) fn settle_health(&mut self) {
        if !self.unsettled.is_empty() {
            self.health(&[]);
        }
    }

    /// Tells who checks what there is to check in these services.
    pub(super) fn follow_checks(&self, touched: impl IntoIterator<Item = ServiceId>) {
        let touched: Vec<ServiceId> = touched.into_iter().collect();
        let is_known = |checked: &Checked| {
            touched.iter().any(|id| {
                let checked = checked.services.contains_key(id);
                checked || self.table.get(id).is_some_and(VirtualService::has_health)
            })
        };
        self.checked.send_if_modified(|checked| {
            if !is_known(checked) {
                return false;
            }
            let mut next = Checked::clone(checked);
            for id in &touched {
                let service = self.table.get(id).and_then(|entry| self.checked_service(entry));
                match service {
                    Some(service) => next.services.insert(*id, Arc::new(service)),
                    None => next.services.remove(id),
                };
            }
            *checked = Arc::new(next);
            true
        });
    }

    /// Whether something else comes of it than before.
    fn moves(&self, id: &ServiceId, known: &Known) -> bool {
        self.overlay.get(id).is_none_or(|former| !former.gives_the_same(known))
    }

    fn checked_service(&self, entry: &VirtualService) -> Option<CheckedService> {
        let known = self.overlay.get(&entry.service.id);
        let dests: Vec<CheckedDest> = entry
            .pool
            .iter()
            .filter_map(|real| {
                let addr = real.dest.addr;
                let known = known.map(|known| known.health(&addr)).unwrap_or_default();
                checked_dest(real.dest, entry.checks(&addr), known)
            })
            .collect();
        let policy = entry.health.policy.clone();
        let sorry = policy.sorry_server.and_then(|dest| {
            let known = known.map(Known::sorry_health).unwrap_or_default();
            checked_dest(dest, &policy.sorry_checks, known)
        });
        let is_checked = !dests.is_empty() || sorry.is_some();
        is_checked.then_some(CheckedService { policy, dests, sorry })
    }

    /// Ends the connections of real servers that went down where that is asked for.
    fn reset(&mut self, changes: &[HealthChange]) {
        for change in changes {
            let HealthChange::Dest { service, dest, health, .. } = change else { continue };
            let entry = self.table.get(service);
            if health.is_up() || !entry.is_some_and(|entry| entry.health.policy.reset) {
                continue;
            }
            match self.plane.reset(service, dest) {
                Ok(0) => (),
                Ok(ended) => tracing::info!(%service, %dest, ended, "connections were reset"),
                Err(error) => tracing::warn!(%service, %dest, %error, "cannot reset connections"),
            }
        }
    }

    fn tell(&self, changes: Vec<HealthChange>) {
        for change in &changes {
            if let Some(record) = HealthRecord::of(change) {
                record.write(self.revision);
            }
        }
        if !changes.is_empty() && self.events.receiver_count() > 0 {
            let event = Event { revision: self.revision, changes: Vec::new(), health: changes };
            // Nobody listens: nobody misses it.
            self.events.send(Arc::new(event)).ok();
        }
    }

    pub(super) fn remember_health(&mut self) {
        let Some(state) = &mut self.state else { return };
        if let Err(error) = state.remember_down(&self.overlay.down()) {
            tracing::warn!(%error, "what is down is not written down");
        }
    }
}

fn checked_dest(
    dest: Dest,
    checks: &[CheckSpec],
    known: crate::model::health::Health,
) -> Option<CheckedDest> {
    (!checks.is_empty()).then(|| CheckedDest { dest, checks: checks.to_vec(), known })
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
