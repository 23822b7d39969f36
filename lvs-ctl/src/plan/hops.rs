//! The next hop of each real server's address.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use lvs_common::map::{MAX_NEXT_HOPS, NextHop};

use super::{Op, PlanError, slots::Slots};

/// Which slot each address has, and which real servers go through it.
#[derive(Debug)]
pub(super) struct Hops {
    slots: Slots,
    ways: HashMap<IpAddr, Way>,
}

#[derive(Debug, Default)]
struct Way {
    /// Slot in `NEXT_HOPS`.
    slot: u32,
    /// What stands there.
    hop: Option<NextHop>,
    /// Slots of the real servers.
    dests: BTreeSet<u32>,
}

impl Hops {
    /// No address is known. Slot 0 stands for those.
    pub(super) fn new() -> Self {
        let capacity = u32::try_from(MAX_NEXT_HOPS).unwrap_or(u32::MAX);
        Self { slots: Slots::new(NextHop::UNRESOLVED + 1, capacity), ways: HashMap::new() }
    }

    /// The slot of an address, for a real server that will go through it.
    pub(super) fn join(&mut self, address: IpAddr, dest: u32) -> u32 {
        let way = self.ways.entry(address).or_default();
        way.dests.insert(dest);
        way.slot
    }

    /// A real server does not go there any more.
    pub(super) fn leave(&mut self, address: IpAddr, dest: u32) {
        let Some(way) = self.ways.get_mut(&address) else { return };
        way.dests.remove(&dest);
        if way.dests.is_empty() {
            if way.slot != NextHop::UNRESOLVED {
                self.slots.give(way.slot);
            }
            self.ways.remove(&address);
        }
    }

    /// The way to an address has changed: the slot that its real servers are to point to, after the
    /// returned write; `None` if nothing changes.
    pub(super) fn resolve(
        &mut self,
        address: IpAddr,
        hop: Option<NextHop>,
    ) -> Result<Option<(u32, Option<Op>)>, PlanError> {
        let Some(way) = self.ways.get_mut(&address) else { return Ok(None) };
        if way.hop == hop {
            return Ok(None);
        }
        let capacity = self.slots.capacity();
        let (slot, write) = match hop {
            None => (NextHop::UNRESOLVED, None),
            Some(hop) => {
                let slot = self.slots.take();
                let slot = slot.ok_or(PlanError::NoRoom { what: "next hop", capacity })?;
                (slot, Some(Op::NextHop(slot, hop)))
            }
        };
        if way.slot != NextHop::UNRESOLVED {
            self.slots.give(way.slot);
        }
        way.slot = slot;
        way.hop = hop;
        Ok(Some((slot, write)))
    }

    /// Slots of the real servers behind an address.
    pub(super) fn dests(&self, address: IpAddr) -> impl Iterator<Item = u32> {
        self.ways.get(&address).into_iter().flat_map(|way| way.dests.iter().copied())
    }

    /// Addresses that some real server has.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.ways.keys().copied()
    }

    pub(super) fn rest(&mut self) {
        self.slots.rest();
    }

    /// Next hops in use, and how many there is room for.
    pub(super) fn occupancy(&self) -> (u32, u32) {
        (self.slots.used(), self.slots.capacity())
    }
}
