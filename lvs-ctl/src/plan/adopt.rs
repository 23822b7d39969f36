//! Taking over what another controller left in the maps.

use std::collections::HashSet;

use lvs_common::{
    map::{self, MAX_DESTS, MAX_SERVICES, PoolEntry, ServiceKey},
    sched::Kind,
};

use super::{
    Op, compile,
    cursor::Listed,
    dests::Known,
    hops::Hops,
    memory::Eras,
    planner::{Planned, Planner, capacity},
    slots::Slots,
    table,
};
use crate::model::{DestAddr, Table};

/// What was found in maps that another controller left.
#[derive(Debug, Default)]
pub struct Found {
    /// Services by key.
    pub services: Vec<(ServiceKey, map::Service, Vec<PoolEntry>)>,
    /// Real servers by slot.
    pub dests: Vec<(u32, map::Dest)>,
    /// The last era that addresses were remembered in.
    pub era: u32,
}

impl Planner {
    /// Takes over what stands in the maps, to be committed to anew: slots, pools and cursors are kept
    /// where the rules are the same.
    #[must_use]
    pub fn adopt(found: Found) -> Self {
        let used = |slots: Vec<u32>, places| Slots::adopted(0, capacity(places), slots);
        let eras = found.services.iter().map(|(_, service, _)| service.era);
        let last_era = eras.fold(found.era, u32::max);
        let mut planner = Self {
            service_slots: used(
                found.services.iter().map(|(_, service, _)| service.slot).collect(),
                MAX_SERVICES,
            ),
            dest_slots: used(found.dests.iter().map(|(slot, _)| *slot).collect(), MAX_DESTS),
            eras: Eras::adopted(last_era),
            ..Self::default()
        };
        let ways: Vec<_> = found
            .dests
            .iter()
            .map(|(slot, value)| (value.address.ip(), *slot, value.next_hop))
            .collect();
        planner.hops = Hops::adopted(&ways);
        for (slot, value) in found.dests {
            let addr = DestAddr { address: value.address.ip(), port: value.port.get() };
            planner.dests.set((value.service, addr), Known { slot, value });
        }
        let mut aside = planner.dests.aside();
        for (key, value, pool) in found.services {
            let Ok(kind) = Kind::try_from(value.scheduler) else {
                continue;
            };
            let table_units = table::units(kind);
            if planner.pools.adopt(value.pool, value.len)
                && planner.tables.adopt(value.table / table::UNIT, table_units)
            {
                // Serial numbers are the table's; the first commit puts them in.
                let list = pool.iter().map(|entry| Listed {
                    slot: entry.dest,
                    weight: entry.weight,
                    serial: 0,
                    edits: 0,
                });
                let list = list.collect();
                let aside = aside.remove(&key).unwrap_or_default();
                let service = Planned { value, kind, list, aside, table_units, serial: None };
                planner.services.insert(key, service);
                planner.kinds.join(compile::kind(key));
            }
        }
        // Of services that are nowhere.
        for slot in aside.into_values().flatten() {
            planner.dests.retire(slot);
        }
        planner
    }

    /// The writes that end the services that the table does not have.
    pub fn drop_others(&mut self, table: &Table) -> Vec<Op> {
        let kept: HashSet<ServiceKey> =
            table.services().map(|entry| compile::key(&entry.service.id)).collect();
        let others: Vec<ServiceKey> =
            self.services.keys().filter(|key| !kept.contains(*key)).copied().collect();
        let mut ops = Vec::new();
        for key in others {
            self.remove(key, &mut ops);
        }
        ops
    }
}

/// The list before; an adopted one with the serial numbers that its real servers have now.
pub(super) fn with_serials(before: &Planned, now: &[Listed]) -> Vec<Listed> {
    let mut list = before.list.clone();
    if before.serial.is_none() {
        for listed in &mut list {
            let same = now.iter().find(|other| other.slot == listed.slot);
            (listed.serial, listed.edits) =
                same.map_or((u64::MAX, 0), |other| (other.serial, other.edits));
        }
    }
    list
}
