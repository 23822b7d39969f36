//! What lblc and lblcr remember: the collector, and who is remembered.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::{HashMap, MapData};
use lvs_common::{
    map::{Called, Tunables, name},
    sched::{
        Kind, Remembered,
        locality::{Collection, collection},
    },
};

use super::{KernelError, maps::map_error};
use crate::plan::memory::Remembering;

/// From one run to the next.
const PERIOD_S: u32 = 60;

/// The memory, and when it is looked through the next time.
pub(super) struct Memory {
    addresses: HashMap<MapData, Called, Words>,
    due: Option<u32>,
    run: u32,
}

/// A [`Remembered`] as the map holds it.
type Words = [u64; Remembered::WORDS];

/// What a run found.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Dest slots that are remembered.
    pub(super) dests: BTreeSet<u32>,
    /// Service slots, and how many addresses they remember.
    pub(super) counts: Vec<(u32, u64)>,
}

/// What is to be forgotten of one service.
struct Plan {
    what: Collection,
    kept: u64,
}

impl Memory {
    pub(super) const fn new(addresses: HashMap<MapData, Called, Words>) -> Self {
        Self { addresses, due: None, run: 0 }
    }

    /// The last era that is remembered.
    pub(super) fn last_era(&self) -> Result<u32, KernelError> {
        let mut eras = self.addresses.keys().map(|called| called.map(|called| called.era));
        eras.try_fold(0, |last, era| Ok(last.max(era.map_err(unread)?)))
    }

    /// Once a minute: forgets what services do not need and what no service has; `None`: not now.
    ///
    /// `now` is in ticks; `now_ns` is the same time as the program notes it.
    pub(super) fn collect(
        &mut self,
        (now, now_ns): (u32, u64),
        tunables: &Tunables,
        services: impl Iterator<Item = Remembering>,
    ) -> Result<Option<Collected>, KernelError> {
        let period = PERIOD_S.saturating_mul(tunables.ticks_per_second);
        let due = *self.due.get_or_insert(now.wrapping_add(period));
        if now.wrapping_sub(due).cast_signed() < 0 {
            return Ok(None);
        }
        self.due = Some(now.wrapping_add(period));
        self.run = self.run.wrapping_add(1);
        let mut plans = self.plans(tunables, services)?;
        let mut collected = Collected::default();
        for called in self.sort_out(now_ns, &mut plans, &mut collected.dests)? {
            self.addresses.remove(&called).map_err(unread)?;
        }
        collected.counts = plans.iter().map(|((slot, _), plan)| (*slot, plan.kept)).collect();
        Ok(Some(collected))
    }

    /// What is to be forgotten, by slot and era.
    fn plans(
        &self,
        tunables: &Tunables,
        services: impl Iterator<Item = Remembering>,
    ) -> Result<BTreeMap<(u32, u32), Plan>, KernelError> {
        let mut counts: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for called in self.addresses.keys() {
            let called = called.map_err(unread)?;
            *counts.entry((called.service, called.era)).or_default() += 1;
        }
        let plan = |service: Remembering| {
            let key = (service.slot, service.era);
            let count = counts.get(&key).copied().unwrap_or(0);
            let expiration = match service.kind {
                Kind::Lblcr => tunables.lblcr_expiration,
                _ => tunables.lblc_expiration,
            };
            let what = collection(self.run, count, tunables.nanoseconds(expiration.into()));
            (key, Plan { what, kept: 0 })
        };
        Ok(services.map(plan).collect())
    }

    /// The addresses to forget; notes who is remembered of the others.
    fn sort_out(
        &self,
        now_ns: u64,
        plans: &mut BTreeMap<(u32, u32), Plan>,
        dests: &mut BTreeSet<u32>,
    ) -> Result<Vec<Called>, KernelError> {
        let mut forgotten = Vec::new();
        for entry in &self.addresses {
            let (called, words) = entry.map_err(unread)?;
            let remembered = Remembered::from(words);
            match plans.get_mut(&(called.service, called.era)) {
                Some(Plan { kept, what })
                    if what.at_most == 0 || remembered.unused_ns(now_ns) <= what.unused_ns =>
                {
                    *kept += 1;
                    dests.extend(remembered.ids());
                }
                Some(Plan { what, .. }) => {
                    what.at_most -= 1;
                    forgotten.push(called);
                }
                None => forgotten.push(called),
            }
        }
        Ok(forgotten)
    }
}

fn unread(error: aya::maps::MapError) -> KernelError {
    map_error("read", name::REMEMBERED, error)
}
