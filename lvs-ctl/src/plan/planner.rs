//! The planner: remembers which slot each rule has, and says which writes a change takes.

use std::{collections::HashMap, net::IpAddr};

use lvs_common::{
    map::{
        self, MAX_BUCKETS, MAX_DESTS, MAX_MARK_RULES, MAX_POOL, MAX_POOL_ENTRIES, MAX_SERVICES,
        NextHop, PoolEntry, ServiceKey,
    },
    sched::Kind,
};

use super::{
    Op, PlanError, adopt, compile,
    cursor::{self, Listed},
    dests::Dests,
    extents::Extents,
    hops::Hops,
    kinds::Kinds,
    marks,
    memory::{Eras, Remembering, remembers},
    slots::Slots,
    table,
};
use crate::model::{DestAddr, MarkRule, ServiceId, Table, VirtualService};

/// Which slot each rule has.
#[derive(Debug)]
pub struct Planner {
    pub(super) services: HashMap<ServiceKey, Planned>,
    pub(super) dests: Dests,
    pub(super) service_slots: Slots,
    pub(super) dest_slots: Slots,
    pub(super) pools: Extents,
    /// In units of [`table::UNIT`] buckets.
    pub(super) tables: Extents,
    pub(super) hops: Hops,
    pub(super) kinds: Kinds,
    pub(super) marks: Vec<MarkRule>,
    pub(super) eras: Eras,
}

/// A service as the maps hold it.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) value: map::Service,
    pub(super) kind: Kind,
    pub(super) list: Vec<Listed>,
    /// Slots of real servers that are checked, but in no list.
    pub(super) aside: Vec<u32>,
    /// Buckets of the scheduler's table, in units.
    pub(super) table_units: u32,
    /// Its serial number, and those in the list are known; or it was found in the maps.
    pub(super) serial: Option<u64>,
}

impl Default for Planner {
    fn default() -> Self {
        Self {
            services: HashMap::new(),
            dests: Dests::default(),
            service_slots: Slots::new(0, capacity(MAX_SERVICES)),
            dest_slots: Slots::new(0, capacity(MAX_DESTS)),
            pools: Extents::new(capacity(MAX_POOL_ENTRIES)),
            tables: Extents::new(capacity(MAX_BUCKETS) / table::UNIT),
            hops: Hops::new(),
            kinds: Kinds::default(),
            marks: Vec::new(),
            eras: Eras::default(),
        }
    }
}

impl Planner {
    /// The writes that make the maps say what the table says of the touched services. `cursor` reads
    /// the place of a service's scheduler.
    ///
    /// # Errors
    /// Nothing was planned then; the planner is as it was.
    pub fn plan(
        &mut self,
        table: &Table,
        touched: &[ServiceId],
        cursor: &dyn Fn(u32) -> u64,
    ) -> Result<Vec<Op>, PlanError> {
        self.check(table, touched)?;
        let mut ops = Vec::new();
        for id in touched {
            let key = compile::key(id);
            match table.get(id) {
                Some(entry) => self.set(key, entry, cursor, &mut ops)?,
                None => self.remove(key, &mut ops),
            }
        }
        if table.services().len() == 0 {
            ops.push(Op::NoAddresses);
        }
        ops.extend(self.kinds.changed().map(Op::Kinds));
        Ok(ops)
    }

    /// The writes that send the packets of an address's real servers another way.
    ///
    /// # Errors
    /// There is no room for a next hop.
    pub fn resolve(&mut self, address: IpAddr, hop: Option<NextHop>) -> Result<Vec<Op>, PlanError> {
        let Some((slot, write)) = self.hops.resolve(address, hop)? else { return Ok(Vec::new()) };
        let redirected = self
            .hops
            .dests(address)
            .filter_map(|dest| self.dests.redirect(dest, slot).map(|value| Op::Dest(dest, value)));
        Ok(write.into_iter().chain(redirected).collect())
    }

    /// Addresses whose next hop matters.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.hops.addresses()
    }

    /// Another number whenever they are others.
    #[must_use]
    pub fn addresses_edition(&self) -> u64 {
        self.hops.edition()
    }

    /// How many of them have no next hop said yet, nor that there is none.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.hops.unknown()
    }

    /// The slot of a real server, if it has one.
    #[must_use]
    pub fn slot(&self, service: &ServiceId, dest: &DestAddr) -> Option<u32> {
        let key = compile::key(service);
        self.dests.get(&(key, *dest)).map(|known| known.slot)
    }

    /// The services that remember addresses.
    pub fn remembering(&self) -> impl Iterator<Item = Remembering> {
        self.services.values().filter(|planned| remembers(planned.kind)).map(|planned| {
            Remembering { slot: planned.value.slot, era: planned.value.era, kind: planned.kind }
        })
    }

    /// Gives up the slots of real servers that are gone and of which `is_idle` says that no
    /// connection is left, and lets what was given up before be used again. Those of a service that
    /// remembers addresses must not be `remembered` either.
    pub fn collect(
        &mut self,
        is_idle: impl Fn(u32) -> bool,
        is_remembered: impl Fn(u32) -> bool,
    ) -> Vec<Op> {
        let remembers = |service: &ServiceKey| {
            self.services.get(service).is_some_and(|planned| remembers(planned.kind))
        };
        let idle: Vec<u32> = self
            .dests
            .gone()
            .filter(|((service, _), known)| !remembers(service) || !is_remembered(known.slot))
            .map(|(_, known)| known.slot)
            .filter(|slot| is_idle(*slot))
            .collect();
        let mut ops = Vec::new();
        for slot in idle {
            if let Some((key, known)) = self.dests.remove(slot) {
                self.hops.leave(key.1.address, known.slot);
                self.dest_slots.give(known.slot);
                ops.push(Op::Dest(known.slot, map::Dest { flags: 0, ..known.value }));
            }
        }
        self.rest();
        ops
    }

    /// Lets what was given up before the last call be used again.
    pub fn rest(&mut self) {
        self.service_slots.rest();
        self.dest_slots.rest();
        self.pools.rest();
        self.tables.rest();
        self.hops.rest();
    }

    /// Places in use and places in all, by what they hold.
    #[must_use]
    pub fn occupancy(&self) -> [(&'static str, u32, u32); 5] {
        let (hops, most_hops) = self.hops.occupancy();
        [
            ("services", self.service_slots.used(), self.service_slots.capacity()),
            ("real servers", self.dest_slots.used(), self.dest_slots.capacity()),
            ("pool places", self.pools.used(), self.pools.capacity()),
            ("next hops", hops, most_hops),
            ("mark rules", capacity(marks::compile(&self.marks).len()), capacity(MAX_MARK_RULES)),
        ]
    }

    /// Whether everything can be planned, before anything is.
    fn check(&self, table: &Table, touched: &[ServiceId]) -> Result<(), PlanError> {
        let (mut places, mut slots, mut units) = (0u32, 0u32, 0u32);
        for id in touched {
            let key = compile::key(id);
            let Some(entry) = table.get(id) else { continue };
            units += table::units(compile::scheduler(&entry.service)?);
            for real in entry.pool.iter() {
                compile::dest(key, &real.dest, NextHop::UNRESOLVED)?;
            }
            let listed = entry.pool.iter().map(|real| &real.dest);
            let new = listed.chain(entry.pool.aside());
            let new = new.filter(|dest| self.dests.get(&(key, dest.addr)).is_none());
            slots += capacity(new.count());
            let len = capacity(entry.pool.len());
            if len > MAX_POOL {
                return Err(PlanError::TooMany(MAX_POOL));
            }
            places += len;
        }
        let room = |what, used: u32, more: u32, capacity: u32| {
            let fits = more <= capacity.saturating_sub(used);
            if fits { Ok(()) } else { Err(PlanError::NoRoom { what, capacity }) }
        };
        room("real server", self.dest_slots.used(), slots, self.dest_slots.capacity())?;
        room("scheduler's table", self.tables.used(), units, self.tables.capacity())?;
        room("place in a pool", self.pools.used(), places, self.pools.capacity())
    }

    fn set(
        &mut self,
        key: ServiceKey,
        entry: &VirtualService,
        cursor: &dyn Fn(u32) -> u64,
        ops: &mut Vec<Op>,
    ) -> Result<(), PlanError> {
        let kind = compile::scheduler(&entry.service)?;
        let before = self.services.remove(&key);
        let list = self.list(key, entry, ops)?;
        let aside = self.aside(key, entry, ops)?;
        self.retire(before.as_ref(), &list, &aside, ops);

        if before.is_none() {
            self.kinds.join(compile::kind(key));
        }
        let slot = match &before {
            Some(before) => before.value.slot,
            None => self.service_slots.take().ok_or(PlanError::NoRoom {
                what: "service",
                capacity: self.service_slots.capacity(),
            })?,
        };
        let place = match &before {
            Some(before) if before.kind == kind => {
                let old = adopt::with_serials(before, &list);
                cursor::carried(kind, &old, &list, cursor(slot))
            }
            Some(_) => cursor::begun(kind, &list),
            None => cursor::carried(kind, &[], &list, cursor::begun(kind, &[])),
        };

        let len = capacity(list.len());
        let pool = self.pools.take(len).ok_or(PlanError::NoRoom {
            what: "place in a pool",
            capacity: self.pools.capacity(),
        })?;
        let buckets = table::build(kind, entry);
        let table_units = capacity(buckets.len()) / table::UNIT;
        let table = self.tables.take(table_units).ok_or(PlanError::NoRoom {
            what: "scheduler's table",
            capacity: self.tables.capacity(),
        })? * table::UNIT;
        let rounds = cursor::params(&list);
        let value = map::Service {
            slot,
            pool,
            len,
            scheduler: kind as u8,
            step: rounds.step,
            top: rounds.top,
            scheduler_flags: compile::scheduler_flags(&entry.service),
            table,
            era: self.eras.of(kind, entry.serial, before.as_ref()),
            ..compile::terms(&entry.service, key)
        };
        if !buckets.is_empty() {
            ops.push(Op::Table(table, buckets));
        }
        let entries =
            list.iter().map(|listed| PoolEntry { dest: listed.slot, weight: listed.weight });
        ops.push(Op::Pool(pool, entries.collect()));
        ops.push(Op::Cursor(slot, place));
        ops.extend(self.looked_at(entry.service.id));
        ops.push(Op::Service(key, value));
        if let Some(before) = before {
            self.give(&before);
        }
        let serial = Some(entry.serial);
        let planned = Planned { value, kind, list, aside, table_units, serial };
        self.services.insert(key, planned);
        Ok(())
    }

    pub(super) fn remove(&mut self, key: ServiceKey, ops: &mut Vec<Op>) {
        let Some(before) = self.services.remove(&key) else { return };
        self.kinds.leave(compile::kind(key));
        ops.push(Op::NoService(key));
        self.retire(Some(&before), &[], &[], ops);
        self.give(&before);
        self.service_slots.give(before.value.slot);
    }

    /// Gives up what a service's former value points to.
    fn give(&mut self, before: &Planned) {
        self.pools.give(before.value.pool, before.value.len);
        self.tables.give(before.value.table / table::UNIT, before.table_units);
    }
}

pub(super) fn capacity(places: usize) -> u32 {
    u32::try_from(places).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
