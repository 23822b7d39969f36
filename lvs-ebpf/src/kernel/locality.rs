//! What a service remembers of the addresses that clients called, over the maps.

use core::ops::ControlFlow;

use aya_ebpf::bindings::BPF_NOEXIST;
use lvs_common::{
    map::{Dest, MAX_DESTS},
    sched::{
        Candidate, Locality, Pool, Remembered, Scan,
        locality::{HARD_LIMIT, SET},
    },
};

use super::{
    atomic, clock,
    maps::{DESTS, REMEMBERED, TUNABLES},
    pool::{KernelPool, Moved, Steps, candidate},
};

/// A walk through the choice's copy of a set of remembered real servers.
struct Recall<S>(S);

impl<S: Scan> Steps for Recall<S> {
    #[inline(always)]
    fn step(&mut self, number: u64, pool: KernelPool) -> ControlFlow<()> {
        // verifier: a place below the size of the set
        let place = number as u32 & (SET - 1);
        let Some(id) = pool.choice.set.get(place) else { return ControlFlow::Break(()) };
        let Some(candidate) = pool.server(id) else { return ControlFlow::Continue(()) };
        self.0.visit::<Moved>(place, candidate)
    }
}

/// A walk through the pool, to where a dest slot stands.
struct Find {
    slot: u32,
    position: u32,
}

impl Steps for Find {
    #[inline(always)]
    fn step(&mut self, number: u64, pool: KernelPool) -> ControlFlow<()> {
        let found = pool.entry(number as u32).is_none_or(|entry| entry.dest == self.slot);
        if found {
            self.position = number as u32;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

impl KernelPool {
    /// Whether the real server of this slot stands at this position.
    #[inline(always)]
    fn has(self, slot: u32, position: u32) -> bool {
        let stands = || self.entry(position).is_some_and(|entry| entry.dest == slot);
        position < self.len() && stands()
    }
}

impl Locality for KernelPool {
    #[inline(always)]
    fn remembered(&self) -> Option<&Remembered> {
        let called = &self.choice.called;
        // SAFETY: an element is not used again before this packet is done; its words are cells.
        unsafe { REMEMBERED.get(called) }
    }

    #[inline(always)]
    fn begin(&self) -> Option<&Remembered> {
        // The cursor counts the addresses; the controller corrects it when it forgets some.
        if self.cursor() >= u64::from(HARD_LIMIT) {
            return None;
        }
        let (called, nobody) = (&self.choice.called, &self.choice.nobody);
        if REMEMBERED.insert(called, nobody, BPF_NOEXIST.into()).is_ok() {
            // SAFETY: an aligned word of the map's value.
            unsafe { atomic::fetch_add(self.word()?, 1) };
        }
        self.remembered()
    }

    #[inline(always)]
    fn id(&self, position: u32) -> Option<u32> {
        self.entry(position).map(|entry| entry.dest)
    }

    #[inline(always)]
    fn position(&self, id: u32) -> Option<u32> {
        let dest = dest(id)?;
        if !dest.is_available() {
            return None;
        }
        let position = u32::from(dest.position);
        if self.has(id, position) {
            return Some(position);
        }
        // The controller is about to switch to another pool.
        let walk = self.go(self.len(), Find { slot: id, position: u32::MAX });
        // SAFETY: the walk is over, and no other has begun.
        let position = unsafe { walk.read() }.position;
        self.has(id, position).then_some(position)
    }

    #[inline(always)]
    fn server(&self, id: u32) -> Option<Candidate> {
        let dest = dest(id)?;
        let candidate = candidate(id, dest.weight)?;
        // One that is gone is not chosen, but counts when a set is to be made smaller.
        let gone = !dest.flags & Dest::AVAILABLE;
        Some(Candidate { overloaded: candidate.overloaded | gone, ..candidate })
    }

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        let Some(tunables) = TUNABLES.get(0) else { return 0 };
        let ticks = clock::ticks_since_boot().wrapping_add(tunables.clock_offset.into());
        tunables.nanoseconds(ticks)
    }

    #[inline(always)]
    fn expiration_ns(&self) -> u64 {
        TUNABLES
            .get(0)
            .map_or(u64::MAX, |tunables| tunables.nanoseconds(tunables.lblcr_expiration.into()))
    }

    #[inline(always)]
    fn scan_remembered<S: Scan>(&self, of: &Remembered, scan: S) -> S {
        self.choice.set.copy(of);
        let walk = self.go(SET, Recall(scan));
        // SAFETY: the walk is over, and no other has begun.
        unsafe { walk.read() }.0
    }
}

/// The real server of a slot.
#[inline(always)]
fn dest(slot: u32) -> Option<&'static Dest> {
    // verifier: an index below the number of dests
    DESTS.get(0)?.get(slot as usize & (MAX_DESTS - 1))
}
