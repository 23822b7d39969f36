//! A service's real servers, over the maps.

use core::{ffi::c_void, ops::ControlFlow};

use aya_ebpf::helpers::{bpf_get_prandom_u32, generated::bpf_loop};
use lvs_common::{
    map::{Load, MAX_BUCKETS, MAX_DESTS, MAX_POOL, MAX_POOL_ENTRIES, MAX_SERVICES, PoolEntry},
    sched::{Candidate, Opaque, Pool, Probe, Scan, table::EMPTY},
};

use super::{
    atomic,
    choose::{Choice, Walk},
    maps::{CURSORS, LOADS, POOLS, TABLES},
};

/// The pool of the service that a choice is about.
#[derive(Clone, Copy)]
pub(super) struct KernelPool {
    pub(super) choice: &'static Choice,
}

/// Hides a word by moving a register onto itself.
pub(super) enum Moved {}

impl Opaque for Moved {
    #[inline(always)]
    fn opaque(word: u64) -> u64 {
        atomic::veil(word)
    }
}

/// A walk: what it carries, and a step of it.
// verifier: where a step looks is told by its number alone; a position that is carried along would
// make every step another state to walk.
pub(super) trait Steps {
    /// Takes the step of this number.
    fn step(&mut self, number: u64, pool: KernelPool) -> ControlFlow<()>;
}

impl KernelPool {
    /// The entry at a position.
    #[inline(always)]
    pub(super) fn entry(self, position: u32) -> Option<PoolEntry> {
        POOLS.get(0)?.get(self.index(position)).copied()
    }

    /// Where the entry at a position lies.
    #[inline(always)]
    fn index(self, position: u32) -> usize {
        // verifier: an index below the number of entries
        self.choice.service.pool.wrapping_add(position) as usize & (MAX_POOL_ENTRIES - 1)
    }

    /// The word of the service in `CURSORS`.
    #[inline(always)]
    pub(super) fn word(self) -> Option<*mut u64> {
        let cursors = CURSORS.get_ptr_mut(0)?.cast::<u64>();
        // verifier: an index below the number of services
        Some(cursors.wrapping_add(self.choice.service.slot as usize & (MAX_SERVICES - 1)))
    }

    /// Where a walk's state lies.
    #[inline(always)]
    fn walk<W>(self) -> *mut W {
        const { assert!(size_of::<W>() <= size_of::<Walk>() && align_of::<W>() <= 8) };
        self.choice.walk.get().cast()
    }

    /// Walks up to so many steps, at least to the first `Break`, and gives back where the state of
    /// the walk lies: until the next one.
    #[inline(always)]
    pub(super) fn go<W: Steps>(self, steps: u32, walk: W) -> *const W {
        let at = self.walk::<W>();
        // SAFETY: the room is as large and nobody else's: one walk is over when the next begins.
        unsafe { at.write(walk) };
        // verifier: what a callback gets must lie on the stack.
        let mut pool = self;
        // SAFETY: the callback gets a pointer to the pool, which outlives the call.
        unsafe { bpf_loop(steps, step::<W> as *mut c_void, (&raw mut pool).cast(), 0) };
        at
    }
}

/// The real server of a slot, with this weight.
#[inline(always)]
pub(super) fn candidate(dest: u32, weight: u32) -> Option<Candidate> {
    // verifier: an index below the number of dests
    Some(of(LOADS.get(0)?.get(dest as usize & (MAX_DESTS - 1))?, weight))
}

/// A real server with this load and weight.
#[inline(always)]
fn of(load: &Load, weight: u32) -> Candidate {
    Candidate {
        weight,
        active: load.active as u32,
        inactive: load.total.wrapping_sub(load.active) as u32,
        overloaded: load.overloaded as u32 & 1,
    }
}

/// The callback of a walk; not zero ends it.
unsafe extern "C" fn step<W: Steps>(number: u64, pool: *mut c_void) -> i64 {
    // SAFETY: `go` passes its pool.
    let pool = unsafe { *pool.cast::<KernelPool>() };
    // SAFETY: and has put the walk there.
    let walk = unsafe { &mut *pool.walk::<W>() };
    i64::from(walk.step(number, pool).is_break())
}

struct Seek<S> {
    start: u64,
    scan: S,
}

impl<S: Scan> Steps for Seek<S> {
    #[inline(always)]
    fn step(&mut self, number: u64, pool: KernelPool) -> ControlFlow<()> {
        let (ahead, len) = (self.start + number, u64::from(pool.len()));
        let position = if ahead >= len { ahead - len } else { ahead } as u32;
        let Some(candidate) = pool.candidate(position) else {
            return ControlFlow::Break(());
        };
        self.scan.visit::<Moved>(position, candidate)
    }
}

/// Real servers that a step of a [`Sweep`] looks at. One each costs three times as much; more than four, little less,
/// and the verifier twice the work.
const STRIDE: u32 = 4;

/// Looks at all, several in a step.
struct Sweep<S>(S);

impl<S: Scan> Steps for Sweep<S> {
    #[inline(always)]
    fn step(&mut self, number: u64, pool: KernelPool) -> ControlFlow<()> {
        let (Some(entries), Some(loads)) = (POOLS.get(0), LOADS.get(0)) else {
            return ControlFlow::Break(());
        };
        let mut found = ControlFlow::Continue(());
        for ahead in 0..STRIDE {
            let position = (number as u32).wrapping_mul(STRIDE).wrapping_add(ahead);
            let entry = &entries[pool.index(position)];
            let load = &loads[entry.dest as usize & (MAX_DESTS - 1)];
            // Behind the last one there is none to be chosen: 1 or 0, spread over all bits.
            let is_there = u64::from(position).wrapping_sub(pool.len().into()) >> 63;
            let is_there = atomic::veil(0u64.wrapping_sub(is_there));
            let weight = entry.weight & is_there as u32;
            found = self.0.visit::<Moved>(position, of(load, weight));
        }
        found
    }
}

struct Leap<P>(P);

impl<P: Probe> Steps for Leap<P> {
    #[inline(always)]
    fn step(&mut self, number: u64, pool: KernelPool) -> ControlFlow<()> {
        let bucket = self.0.bucket(number as u32);
        let Some(position) = pool.bucket(bucket) else { return ControlFlow::Break(()) };
        let Some(candidate) = pool.candidate(position) else {
            return ControlFlow::Break(());
        };
        self.0.visit(position, candidate)
    }
}

impl Pool for KernelPool {
    type Opaque = Moved;

    #[inline(always)]
    fn len(&self) -> u32 {
        self.choice.service.len.min(MAX_POOL)
    }

    #[inline(always)]
    fn candidate(&self, position: u32) -> Option<Candidate> {
        let entry = self.entry(position)?;
        candidate(entry.dest, entry.weight)
    }

    #[inline(always)]
    fn bucket(&self, index: u32) -> Option<u32> {
        // verifier: an index below the number of buckets
        let bucket = self.choice.service.table.wrapping_add(index) as usize & (MAX_BUCKETS - 1);
        let position = *TABLES.get(0)?.get(bucket)?;
        (position != EMPTY).then_some(u32::from(position))
    }

    #[inline(always)]
    fn cursor(&self) -> u64 {
        // SAFETY: a word of the map's value; others write it whole.
        self.word().map_or(0, |word| unsafe { word.read_volatile() })
    }

    #[inline(always)]
    fn swap_cursor(&self, seen: u64, new: u64) -> bool {
        // SAFETY: an aligned word of the map's value.
        self.word().is_some_and(|word| unsafe { atomic::compare_exchange(word, seen, new) == seen })
    }

    #[inline(always)]
    fn random(&self) -> u32 {
        // SAFETY: the helper has no conditions.
        unsafe { bpf_get_prandom_u32() }
    }

    #[inline(always)]
    fn scan<S: Scan>(&self, scan: S) -> S {
        let walk = self.go(self.len().div_ceil(STRIDE), Sweep(scan));
        // SAFETY: the walk is over, and no other has begun.
        unsafe { walk.read() }.0
    }

    #[inline(always)]
    fn seek<S: Scan>(&self, start: u32, steps: u32, scan: S) -> S {
        let start = if start < self.len() { u64::from(start) } else { 0 };
        // Mostly the first is it.
        let mut walk = Seek { start, scan };
        if steps == 0 || walk.step(0, *self).is_break() {
            return walk.scan;
        }
        walk.start += 1;
        let walk = self.go(steps - 1, walk);
        // SAFETY: the walk is over, and no other has begun.
        unsafe { walk.read() }.scan
    }

    #[inline(always)]
    fn probe<P: Probe>(&self, steps: u32, probe: P) -> P {
        let walk = self.go(steps, Leap(probe));
        // SAFETY: the walk is over, and no other has begun.
        unsafe { walk.read() }.0
    }
}
