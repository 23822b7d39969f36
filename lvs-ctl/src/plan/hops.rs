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
    /// Ways that nothing was said of yet.
    unknown: usize,
    /// Counts addresses that came and went.
    edition: u64,
}

#[derive(Debug, Default)]
struct Way {
    /// Slot in `NEXT_HOPS`.
    slot: u32,
    /// What was said of it.
    said: Said,
    /// Slots of the real servers.
    dests: BTreeSet<u32>,
}

/// What is known of the way to an address.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Nothing yet.
    #[default]
    Nothing,
    /// There is none.
    NoWay,
    /// It stands in the slot.
    Hop(NextHop),
}

impl Hops {
    /// No address is known. Slot 0 stands for those.
    pub(super) fn new() -> Self {
        let capacity = u32::try_from(MAX_NEXT_HOPS).unwrap_or(u32::MAX);
        Self {
            slots: Slots::new(NextHop::UNRESOLVED + 1, capacity),
            ways: HashMap::new(),
            unknown: 0,
            edition: 0,
        }
    }

    /// As another controller left it: address, real server's slot and next hop's slot of each. What
    /// stands in the slots has to be said anew.
    pub(super) fn adopted(found: &[(IpAddr, u32, u32)]) -> Self {
        let mut hops = Self::new();
        let used = found.iter().map(|(_, _, slot)| *slot);
        hops.slots = Slots::adopted(NextHop::UNRESOLVED + 1, hops.slots.capacity(), used);
        for (address, dest, slot) in found {
            hops.join(*address, *dest);
            if let Some(way) = hops.ways.get_mut(address) {
                way.slot = *slot;
            }
        }
        hops
    }

    /// The slot of an address, for a real server that will go through it.
    pub(super) fn join(&mut self, address: IpAddr, dest: u32) -> u32 {
        let Self { unknown, edition, .. } = self;
        let way = self.ways.entry(address).or_insert_with(|| {
            *unknown += 1;
            *edition += 1;
            Way::default()
        });
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
            self.unknown -= usize::from(way.said == Said::Nothing);
            self.edition += 1;
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
        let said = hop.map_or(Said::NoWay, Said::Hop);
        if way.said == said {
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
        self.unknown -= usize::from(way.said == Said::Nothing);
        way.slot = slot;
        way.said = said;
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

    /// Another number whenever they are others.
    pub(super) fn edition(&self) -> u64 {
        self.edition
    }

    /// How many addresses nothing was said of yet.
    pub(super) fn unknown(&self) -> usize {
        self.unknown
    }

    pub(super) fn rest(&mut self) {
        self.slots.rest();
    }

    /// Next hops in use, and how many there is room for.
    pub(super) fn occupancy(&self) -> (u32, u32) {
        (self.slots.used(), self.slots.capacity())
    }
}
