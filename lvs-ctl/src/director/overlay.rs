//! The table as packets see it: the operator's, seen through the health of real servers.
//!
//! The operator's table is the truth and is never changed by health; this lies over it. What stands
//! in the data plane and in `ipvsadm -Ln` is the operator's table with this over it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::HealthChange;
use crate::model::{
    Dest, DestAddr, Pool, PoolEntry, ServiceId, Table, VirtualService,
    health::{self, Cause, CheckSpec, Effective, Gate, Health, Policy, Standing, Verdict},
};

/// The serial number of a sorry server in its service's pool: it stands at the head.
const SORRY: u64 = 1 << 63;

/// What a health engine found out about one real server, or about a sorry server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The virtual service.
    pub service: ServiceId,
    /// The real server; `None` is the sorry server.
    pub dest: Option<DestAddr>,
    /// What its checks say.
    pub verdict: Verdict,
    /// What is wrong with the way, if somebody found out.
    pub diagnosis: Option<Cause>,
    /// Why, for the audit line.
    pub cause: String,
}

/// The real servers that are to be checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// By service; a service that has not changed is the same [`Arc`].
    pub services: BTreeMap<ServiceId, Arc<CheckedService>>,
}

/// Those of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedService {
    /// What follows from the checks.
    pub policy: Policy,
    /// Its real servers that have checks.
    pub dests: Vec<CheckedDest>,
    /// Its sorry server, if that has checks.
    pub sorry: Option<CheckedDest>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedDest {
    /// The real server, as the operator describes it.
    pub dest: Dest,
    /// Its checks, which were judged.
    pub checks: Vec<CheckSpec>,
    /// What was known of it when the director last looked.
    pub known: Health,
}

/// What health makes of the table.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    services: HashMap<ServiceId, Known>,
}

/// What is known of a service's real servers, and what follows.
#[derive(Debug, Clone)]
pub(super) struct Known {
    serial: u64,
    verdicts: BTreeMap<DestAddr, Verdict>,
    sorry: Health,
    gate: Gate,
    standing: Standing,
    diagnoses: BTreeMap<DestAddr, Cause>,
    /// What was known of each real server when this came to hold.
    told: BTreeMap<DestAddr, (Health, Option<Cause>)>,
}

/// An overlay over a new table, which holds once the data plane has taken it.
pub(super) struct Laid {
    /// The table as packets are to see it.
    pub(super) table: Table,
    known: Vec<(ServiceId, Option<Known>)>,
}

impl Overlay {
    /// What is known of `id`.
    pub(super) fn get(&self, id: &ServiceId) -> Option<&Known> {
        self.services.get(id)
    }

    /// Remembers what was known before the controller started.
    pub(super) fn remember(&mut self, table: &Table, down: &[(ServiceId, DestAddr)]) {
        for (id, addr) in down {
            let Some(entry) = table.get(id) else { continue };
            let known = self.services.entry(*id).or_insert_with(|| Known::new(entry.serial));
            known.verdicts.insert(*addr, Verdict::of(Health::Down));
        }
    }

    /// The real servers that are down.
    pub(super) fn down(&self) -> Vec<(ServiceId, DestAddr)> {
        let of = |(id, known): (&ServiceId, &Known)| {
            let down = known.verdicts.iter().filter(|(_, verdict)| !verdict.health.is_up());
            down.map(|(addr, _)| (*id, *addr)).collect::<Vec<_>>()
        };
        let mut down: Vec<_> = self.services.iter().flat_map(of).collect();
        down.sort_unstable();
        down
    }

    /// Takes reports: the services that they change something of, and why.
    pub(super) fn note(
        &mut self,
        table: &Table,
        reports: &[Report],
    ) -> BTreeMap<ServiceId, BTreeMap<Option<DestAddr>, String>> {
        let mut causes: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for Report { service, dest, verdict, diagnosis, cause } in reports {
            let Some(entry) = table.get(service) else { continue };
            let is_there = dest.is_none_or(|addr| entry.pool.get(&addr).is_some());
            let known = self.services.get_mut(service);
            let Some(known) = known.filter(|known| is_there && known.serial == entry.serial) else {
                continue;
            };
            let differs = match dest {
                Some(addr) => {
                    let is_news = known.diagnose(addr, diagnosis.as_ref());
                    known.verdicts.insert(*addr, *verdict) != Some(*verdict) || is_news
                }
                None => std::mem::replace(&mut known.sorry, verdict.health) != verdict.health,
            };
            if differs {
                causes.entry(*service).or_default().insert(*dest, cause.clone());
            }
        }
        causes
    }

    /// Lies over `table`, of which `touched` differs from what `before` was laid over. Real servers
    /// that come back go to the head of their lists, in `table` too.
    pub(super) fn lay(
        &self,
        table: &mut Table,
        before: &Table,
        touched: impl IntoIterator<Item = ServiceId>,
    ) -> Laid {
        let mut known = Vec::new();
        let touched: BTreeSet<ServiceId> = touched.into_iter().collect();
        for id in &touched {
            let now = table.get(id).filter(|entry| entry.has_health());
            let Some(entry) = now else {
                known.push((*id, None));
                continue;
            };
            let former = self.services.get(id).filter(|known| known.serial == entry.serial);
            let (next, returned) = Known::next(former, entry);
            table.readd(id, &returned);
            known.push((*id, Some(next)));
        }
        let mut laid = table.clone();
        for (id, known) in &known {
            if let (Some(known), Some(entry)) = (known, table.get(id)) {
                laid = laid.with_pool(id, known.pool(entry));
            }
        }
        for id in self.services.keys().filter(|id| !touched.contains(id)) {
            if let Some(entry) = before.get(id) {
                laid = laid.with_pool(id, entry.pool.clone());
            }
        }
        Laid { table: laid, known }
    }

    /// Makes what was laid hold: what became different by it, with the given causes.
    pub(super) fn accept(
        &mut self,
        known: Vec<(ServiceId, Option<Known>)>,
        cause: impl Fn(&ServiceId, Option<&DestAddr>) -> String,
    ) -> Vec<HealthChange> {
        let mut changes = Vec::new();
        for (id, known) in known {
            let Some(known) = known else {
                self.services.remove(&id);
                continue;
            };
            if let Some(former) = self.services.get(&id) {
                changes.extend(known.differences(&id, former, &cause));
            }
            self.services.insert(id, known);
        }
        changes
    }
}

impl Laid {
    /// The table, and what is to be accepted once it holds.
    pub(super) fn into_parts(self) -> (Table, Vec<(ServiceId, Option<Known>)>) {
        (self.table, self.known)
    }
}

impl Known {
    fn new(serial: u64) -> Self {
        Self {
            serial,
            verdicts: BTreeMap::new(),
            sorry: Health::Unknown,
            gate: Gate::Met,
            standing: Standing::default(),
            diagnoses: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// What becomes of it with this entry, and which real servers are in the list again.
    fn next(former: Option<&Self>, entry: &VirtualService) -> (Self, Vec<DestAddr>) {
        let mut next = former.cloned().unwrap_or_else(|| Self::new(entry.serial));
        next.verdicts
            .retain(|addr, _| entry.pool.get(addr).is_some() && !entry.checks(addr).is_empty());
        next.diagnoses.retain(|addr, _| next.verdicts.contains_key(addr));
        let verdict = |addr: &DestAddr| next.verdicts.get(addr).copied().unwrap_or(Verdict::NONE);
        let (standing, gate) = health::effective(entry, verdict, next.sorry.is_up(), next.gate);
        let was_absent = |addr: &DestAddr| {
            former.is_some_and(|former| former.standing.dests.get(addr) == Some(&Effective::Absent))
        };
        // Oldest first, so that they keep their order.
        let returned = entry.pool.iter().rev().map(|real| real.dest.addr).filter(|addr| {
            was_absent(addr) && standing.dests.get(addr) != Some(&Effective::Absent)
        });
        let returned = returned.collect();
        let told = |(addr, verdict): (&DestAddr, &Verdict)| {
            (*addr, (verdict.health, next.diagnoses.get(addr).cloned()))
        };
        let told = next.verdicts.iter().map(told).collect();
        (Self { gate, standing, told, ..next }, returned)
    }

    /// The service's pool as packets see it, and aside whoever is checked without being in it.
    fn pool(&self, entry: &VirtualService) -> Pool {
        let wanted = entry.health.policy.sorry_server;
        let sorry = wanted.filter(|_| self.standing.is_sorry);
        let gets = |real: &PoolEntry| match sorry {
            Some(sorry) if sorry.addr == real.dest.addr => Effective::Weight(sorry.weight),
            _ => self.gets(&real.dest.addr).unwrap_or(Effective::Weight(real.dest.weight)),
        };
        let seen = entry.pool.iter().filter_map(|real| match gets(real) {
            Effective::Weight(weight) => {
                let dest = Dest { weight, ..real.dest };
                Some(PoolEntry { dest, ..*real })
            }
            Effective::Absent => None,
        });
        let is_other = |sorry: &Dest| entry.pool.get(&sorry.addr).is_none();
        let idle = wanted.filter(|sorry| {
            !self.standing.is_sorry
                && is_other(sorry)
                && !entry.health.policy.sorry_checks.is_empty()
        });
        let absent = entry.pool.iter().filter(|real| {
            gets(real) == Effective::Absent && !entry.checks(&real.dest.addr).is_empty()
        });
        let aside = absent.map(|real| real.dest).chain(idle).collect();
        let sorry = sorry.filter(is_other);
        let sorry =
            sorry.map(|dest| PoolEntry { dest, serial: SORRY, edits: 0, last_weight: dest.weight });
        Pool::of(seen.chain(sorry)).with_aside(aside)
    }

    /// What a real server gets.
    pub(super) fn gets(&self, addr: &DestAddr) -> Option<Effective> {
        self.standing.dests.get(addr).copied()
    }

    /// Notes what is wrong with the way: whether that is news.
    fn diagnose(&mut self, addr: &DestAddr, diagnosis: Option<&Cause>) -> bool {
        if let Some(cause) = diagnosis {
            self.diagnoses.insert(*addr, cause.clone()).as_ref() != Some(cause)
        } else {
            self.diagnoses.remove(addr);
            false
        }
    }

    /// What its checks say.
    pub(super) fn health(&self, addr: &DestAddr) -> Health {
        self.verdicts.get(addr).map(|verdict| verdict.health).unwrap_or_default()
    }

    /// The same of the sorry server.
    pub(super) fn sorry_health(&self) -> Health {
        self.sorry
    }

    /// Whether the sorry server takes all connections.
    pub(super) fn is_sorry(&self) -> bool {
        self.standing.is_sorry
    }

    /// Which side of the quorum the service is on.
    pub(super) fn gate(&self) -> Gate {
        self.gate
    }

    /// Whether packets go the same ways.
    pub(super) fn gives_the_same(&self, other: &Self) -> bool {
        self.standing == other.standing
    }

    fn differences(
        &self,
        id: &ServiceId,
        former: &Self,
        cause: &impl Fn(&ServiceId, Option<&DestAddr>) -> String,
    ) -> Vec<HealthChange> {
        let told = |addr: &DestAddr| former.told.get(addr) == self.told.get(addr);
        let mut changes = Vec::new();
        for (addr, after) in &self.standing.dests {
            // What just came is told by whoever added it.
            let Some(before) = former.gets(addr) else { continue };
            let health = self.health(addr);
            if before != *after || !told(addr) {
                changes.push(HealthChange::Dest {
                    service: *id,
                    dest: *addr,
                    health,
                    before,
                    after: *after,
                    cause: cause(id, Some(addr)),
                });
            }
        }
        if former.gate != self.gate {
            let (before, after) = (former.gate, self.gate);
            changes.push(HealthChange::Quorum { service: *id, before, after });
        }
        changes
    }
}
