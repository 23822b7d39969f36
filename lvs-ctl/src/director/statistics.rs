//! Counters as they are shown: zero points, totals of services, rates.
//!
//! The data plane counts for each real server; a service's total is the sum over its real servers
//! and over those that were deleted from it.
//!
//! IPVS sums its counters every two seconds, and zeroes what it has summed: what passed since then is there again
//! with the next sum. So it is here, although counters are shown as they are.

use std::collections::{BTreeSet, HashMap};

use super::estimator::Estimator;
use crate::{
    dataplane::DataPlane,
    model::{Counters, DestAddr, Rates, ServiceId, Table, VirtualService},
};

/// How many deleted real servers of a service are remembered one by one, in case they come back.
const REMEMBERED: usize = 1024;

/// The statistics of a table.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    services: HashMap<ServiceId, ServiceStatistics>,
    /// Sum over deleted services, as of the last period.
    departed: Counters,
    /// Sum over all, as of the last period.
    totals: Counters,
}

/// Real servers that a commit is about to delete, with what the data plane counted for them.
#[derive(Debug, Default)]
pub(super) struct Departing(Vec<(ServiceId, DestAddr, Counters)>);

#[derive(Debug, Default)]
struct ServiceStatistics {
    serial: u64,
    zero: Zero,
    /// Sum over deleted real servers that are not in `gone`.
    folded: Counters,
    estimator: Estimator,
    dests: HashMap<DestAddr, DestStatistics>,
    gone: HashMap<DestAddr, Gone>,
}

#[derive(Debug, Clone, Copy, Default)]
struct DestStatistics {
    serial: u64,
    /// What the data plane had counted before this real server was added to this service.
    base: Counters,
    zero: Zero,
    estimator: Estimator,
}

#[derive(Debug, Clone, Copy)]
struct Gone {
    counters: Counters,
    base: Counters,
    zero: Zero,
}

/// Where counters are shown from.
#[derive(Debug, Clone, Copy, Default)]
struct Zero {
    at: Counters,
    /// What had not been summed when they were zeroed: shown from the next sum on.
    unsummed: Counters,
}

impl Statistics {
    /// Takes the counters of what will be gone after the commit; call before it.
    pub(super) fn departing(
        &self,
        new: &Table,
        touched: &BTreeSet<ServiceId>,
        plane: &dyn DataPlane,
    ) -> Departing {
        let mut departing = Vec::new();
        for id in touched {
            let (Some(known), Some(entry)) = (self.services.get(id), new.get(id)) else { continue };
            for (addr, dest) in &known.dests {
                let stays = entry.pool.get(addr).is_some_and(|real| real.serial == dest.serial);
                if !stays {
                    departing.push((*id, *addr, plane.counters(id, addr)));
                }
            }
        }
        Departing(departing)
    }

    /// Follows the table after a commit.
    pub(super) fn settle(
        &mut self,
        new: &Table,
        touched: &BTreeSet<ServiceId>,
        departing: Departing,
        plane: &dyn DataPlane,
    ) {
        for (id, addr, counters) in departing.0 {
            if let Some(service) = self.services.get_mut(&id) {
                service.depart(addr, counters);
            }
        }
        for id in touched {
            match new.get(id) {
                None => {
                    if let Some(service) = self.services.remove(id) {
                        self.departed += service.seen();
                    }
                }
                Some(entry) => {
                    let service = self.services.entry(*id).or_default();
                    if service.serial != entry.serial {
                        self.departed += service.seen();
                        *service = ServiceStatistics { serial: entry.serial, ..Default::default() };
                    }
                    service.arrive(entry, plane);
                }
            }
        }
    }

    /// Takes over a table whose data plane went on counting: nothing is new.
    pub(super) fn adopt(&mut self, table: &Table, plane: &dyn DataPlane) {
        for entry in table.services() {
            let mut service =
                ServiceStatistics { serial: entry.serial, ..ServiceStatistics::default() };
            for real in entry.pool.iter() {
                let estimator = Estimator::new(plane.counters(&entry.service.id, &real.dest.addr));
                let dest = DestStatistics { serial: real.serial, estimator, ..Default::default() };
                service.dests.insert(real.dest.addr, dest);
            }
            service.estimator = Estimator::new(service.total(entry.service.id, plane));
            self.services.insert(entry.service.id, service);
        }
    }

    /// Zeroes one service with its real servers, or all.
    pub(super) fn zero(&mut self, id: Option<ServiceId>, plane: &dyn DataPlane) {
        let chosen =
            self.services.iter_mut().filter(|(service, _)| id.is_none_or(|id| id == **service));
        for (id, service) in chosen {
            service.zero = Zero::new(service.total(*id, plane), service.estimator);
            service.estimator.zero();
            for (addr, dest) in &mut service.dests {
                dest.zero = Zero::new(plane.counters(id, addr), dest.estimator);
                dest.estimator.zero();
            }
            for gone in service.gone.values_mut() {
                gone.zero = Zero { at: gone.counters, ..Zero::default() };
            }
        }
    }

    /// One period of the estimators.
    pub(super) fn tick(&mut self, plane: &dyn DataPlane) {
        let mut totals = self.departed;
        for (id, service) in &mut self.services {
            let mut total = service.deleted();
            for (addr, dest) in &mut service.dests {
                let counters = plane.counters(id, addr);
                dest.estimator.tick(counters);
                dest.zero.summed();
                total += counters.since(dest.base);
            }
            service.estimator.tick(total);
            service.zero.summed();
            totals += total;
        }
        self.totals = totals;
    }

    /// What all services together counted, deleted ones included; never falls, not even by zeroing.
    pub(super) fn totals(&self) -> Counters {
        self.totals
    }

    /// The counters of a service.
    pub(super) fn service(&self, id: &ServiceId, plane: &dyn DataPlane) -> Counters {
        let service = self.services.get(id);
        service.map(|it| it.total(*id, plane).since(it.zero.at)).unwrap_or_default()
    }

    /// The rates of a service.
    pub(super) fn service_rates(&self, id: &ServiceId) -> Rates {
        self.services.get(id).map(|it| it.estimator.rates()).unwrap_or_default()
    }

    /// The counters of a real server.
    pub(super) fn dest(&self, id: &ServiceId, addr: &DestAddr, plane: &dyn DataPlane) -> Counters {
        let zero = self.known(id, addr).map(|dest| dest.zero.at).unwrap_or_default();
        plane.counters(id, addr).since(zero)
    }

    /// The rates of a real server.
    pub(super) fn dest_rates(&self, id: &ServiceId, addr: &DestAddr) -> Rates {
        self.known(id, addr).map(|dest| dest.estimator.rates()).unwrap_or_default()
    }

    fn known(&self, id: &ServiceId, addr: &DestAddr) -> Option<&DestStatistics> {
        self.services.get(id)?.dests.get(addr)
    }
}

impl Zero {
    /// Counters that are zeroed now.
    fn new(counters: Counters, estimator: Estimator) -> Self {
        Self { at: counters, unsummed: counters.since(estimator.seen()) }
    }

    /// The kernel would have summed now.
    fn summed(&mut self) {
        self.at = self.at.since(std::mem::take(&mut self.unsummed));
    }
}

impl ServiceStatistics {
    /// The total as of the last period.
    fn seen(&self) -> Counters {
        self.estimator.seen()
    }

    fn depart(&mut self, addr: DestAddr, counters: Counters) {
        let Some(dest) = self.dests.remove(&addr) else { return };
        if self.gone.len() >= REMEMBERED {
            self.folded = self.deleted();
            self.gone.clear();
        }
        self.gone.insert(addr, Gone { counters, base: dest.base, zero: dest.zero });
    }

    fn arrive(&mut self, entry: &VirtualService, plane: &dyn DataPlane) {
        for real in entry.pool.iter() {
            let addr = real.dest.addr;
            if self.dests.contains_key(&addr) {
                continue;
            }
            let counters = plane.counters(&entry.service.id, &addr);
            let (base, zero) = match self.gone.remove(&addr) {
                // It still had connections: it goes on counting.
                Some(gone) if counters.at_least(gone.counters) => (gone.base, gone.zero),
                Some(gone) => {
                    self.folded += gone.counters.since(gone.base);
                    Default::default()
                }
                None => (counters, Zero { at: counters, ..Zero::default() }),
            };
            let estimator = Estimator::new(counters);
            self.dests.insert(addr, DestStatistics { serial: real.serial, base, zero, estimator });
        }
    }

    fn deleted(&self) -> Counters {
        self.gone.values().fold(self.folded, |sum, gone| sum + gone.counters.since(gone.base))
    }

    fn total(&self, id: ServiceId, plane: &dyn DataPlane) -> Counters {
        self.dests.iter().fold(self.deleted(), |sum, (addr, dest)| {
            sum + plane.counters(&id, addr).since(dest.base)
        })
    }
}
