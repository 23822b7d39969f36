//! A service's real servers, over the maps.

use lvs_common::{
    map::Service,
    sched::{Candidate, Pool, Transparent},
};

use super::Maps;

/// The pool of a service.
pub(super) struct MemPool<'a> {
    pub(super) maps: &'a Maps,
    pub(super) service: &'a Service,
}

impl Pool for MemPool<'_> {
    type Opaque = Transparent;

    fn len(&self) -> u32 {
        self.service.len
    }

    fn candidate(&self, position: u32) -> Option<Candidate> {
        let entry = self.maps.pools.get(self.service.pool.checked_add(position)? as usize)?;
        let load = self.maps.loads.get(entry.dest as usize)?;
        Some(Candidate {
            weight: entry.weight,
            active: u32::try_from(load.active).ok()?,
            inactive: u32::try_from(load.inactive()).ok()?,
            overloaded: u32::from(load.overloaded != 0),
        })
    }

    fn bucket(&self, _: u32) -> Option<u32> {
        None
    }

    fn cursor(&self) -> u64 {
        self.maps.cursors.get(self.service.slot as usize).map_or(0, std::cell::Cell::get)
    }

    fn swap_cursor(&self, seen: u64, new: u64) -> bool {
        let cursor = self.maps.cursors.get(self.service.slot as usize);
        cursor.is_some_and(|cursor| cursor.get() == seen && cursor.replace(new) == seen)
    }

    fn random(&self) -> u32 {
        // Spread by the clock and the loads, and the same again for the same maps.
        let loads = self
            .maps
            .loads
            .iter()
            .fold(0, |sum: u64, load| sum.wrapping_mul(31).wrapping_add(load.total));
        self.maps.hashes(loads << 32 | u64::from(self.maps.now)).0
    }
}
