//! A service's real servers, over the maps.

use std::{cell::OnceCell, rc::Rc};

use lvs_common::{
    map::{Called, Dest, Service},
    net::Addr,
    sched::{Candidate, Locality, Pool, Remembered, Transparent},
};

use super::Maps;

/// The pool of a service, for one choice.
pub(super) struct MemPool<'a> {
    maps: &'a Maps,
    service: &'a Service,
    called: Called,
    known: OnceCell<Rc<Remembered>>,
}

impl<'a> MemPool<'a> {
    pub(super) fn new(maps: &'a Maps, service: &'a Service, address: Addr) -> Self {
        let called = Called { address, service: service.slot, era: service.era };
        Self { maps, service, called, known: OnceCell::new() }
    }

    fn with_load(&self, dest: u32, weight: u32) -> Option<Candidate> {
        let load = self.maps.loads.get(dest as usize)?;
        Some(Candidate {
            weight,
            active: u32::try_from(load.active).ok()?,
            inactive: u32::try_from(load.inactive()).ok()?,
            overloaded: u32::from(load.overloaded != 0),
        })
    }

    fn ns(&self, ticks: u32) -> u64 {
        self.maps.tunables.nanoseconds(ticks.into())
    }
}

impl Pool for MemPool<'_> {
    type Opaque = Transparent;

    fn len(&self) -> u32 {
        self.service.len
    }

    fn candidate(&self, position: u32) -> Option<Candidate> {
        let entry = self.maps.pools.get(self.service.pool.checked_add(position)? as usize)?;
        self.with_load(entry.dest, entry.weight)
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

impl Locality for MemPool<'_> {
    fn remembered(&self) -> Option<&Remembered> {
        if self.known.get().is_none() {
            let known = self.maps.remembered.borrow().get(&self.called).cloned()?;
            // Nobody else sets it.
            self.known.set(known).ok();
        }
        self.known.get().map(Rc::as_ref)
    }

    fn begin(&self) -> Option<&Remembered> {
        self.maps.remembered.borrow_mut().entry(self.called).or_default();
        self.remembered()
    }

    fn id(&self, position: u32) -> Option<u32> {
        self.maps.pools.get(self.service.pool.checked_add(position)? as usize).map(|it| it.dest)
    }

    fn position(&self, id: u32) -> Option<u32> {
        (0..self.len()).find(|&position| self.id(position) == Some(id))
    }

    fn server(&self, id: u32) -> Option<Candidate> {
        let dest: &Dest = self.maps.dests.get(id as usize)?;
        let candidate = self.with_load(id, dest.weight)?;
        let gone = u32::from(!dest.is_available());
        Some(Candidate { overloaded: candidate.overloaded | gone, ..candidate })
    }

    fn now_ns(&self) -> u64 {
        self.ns(self.maps.now)
    }

    fn expiration_ns(&self) -> u64 {
        self.ns(self.maps.tunables.lblcr_expiration)
    }
}
