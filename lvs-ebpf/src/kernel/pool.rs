//! A service's real servers, over the maps.

use core::{ffi::c_void, ops::ControlFlow};

use aya_ebpf::helpers::{bpf_get_prandom_u32, generated::bpf_loop};
use lvs_common::{
    map::{MAX_BUCKETS, MAX_DESTS, MAX_POOL, MAX_POOL_ENTRIES, MAX_SERVICES, PoolEntry, Service},
    sched::{Candidate, Opaque, Pool, Probe, Scan, table::EMPTY},
};

use super::{
    atomic,
    maps::{CURSORS, LOADS, POOLS, TABLES},
};

/// The pool of a service, for one choice.
#[derive(Clone, Copy)]
pub(crate) struct KernelPool {
    slot: u32,
    first: u32,
    len: u32,
    table: u32,
}

/// Hides a word by moving a register onto itself.
pub(crate) enum Moved {}

impl Opaque for Moved {
    #[inline(always)]
    fn opaque(word: u64) -> u64 {
        atomic::veil(word)
    }
}

impl KernelPool {
    /// The pool that a service points to.
    #[inline(always)]
    pub(crate) fn new(service: &Service) -> Self {
        let len = service.len.min(MAX_POOL);
        Self { slot: service.slot, first: service.pool, len, table: service.table }
    }

    /// The entry at a position.
    #[inline(always)]
    fn entry(self, position: u32) -> Option<PoolEntry> {
        // verifier: an index below the number of entries
        let index = self.first.wrapping_add(position) as usize & (MAX_POOL_ENTRIES - 1);
        POOLS.get(0)?.get(index).copied()
    }

    #[inline(always)]
    fn word(&self) -> Option<*mut u64> {
        let cursors = CURSORS.get_ptr_mut(0)?.cast::<u64>();
        // verifier: an index below the number of services
        Some(cursors.wrapping_add(self.slot as usize & (MAX_SERVICES - 1)))
    }
}

/// What `bpf_loop` carries from step to step of a seek.
// verifier: where a step looks is told by its number alone; a position that is carried along would
// make every step another state to walk.
struct Seek<S> {
    pool: KernelPool,
    start: u64,
    len: u64,
    scan: S,
}

impl<S: Scan> Seek<S> {
    #[inline(always)]
    fn step(&mut self, number: u64) -> ControlFlow<()> {
        let ahead = self.start + number;
        let position = if ahead >= self.len { ahead - self.len } else { ahead } as u32;
        let Some(candidate) = self.pool.candidate(position) else {
            return ControlFlow::Break(());
        };
        self.scan.visit::<Moved>(position, candidate)
    }
}

/// What `bpf_loop` carries from step to step of a probe.
struct Leap<P> {
    pool: KernelPool,
    probe: P,
}

impl<P: Probe> Leap<P> {
    #[inline(always)]
    fn step(&mut self, number: u64) -> ControlFlow<()> {
        let bucket = self.probe.bucket(number as u32);
        let Some(position) = self.pool.bucket(bucket) else { return ControlFlow::Break(()) };
        let Some(candidate) = self.pool.candidate(position) else {
            return ControlFlow::Break(());
        };
        self.probe.visit(position, candidate)
    }
}

/// The callback of a seek; not zero ends it.
unsafe extern "C" fn seek<S: Scan>(number: u64, seek: *mut c_void) -> i64 {
    // SAFETY: `seek` passes a pointer to its own walk, which outlives the loop.
    let seek = unsafe { &mut *seek.cast::<Seek<S>>() };
    i64::from(seek.step(number).is_break())
}

/// The callback of a probe; not zero ends it.
unsafe extern "C" fn leap<P: Probe>(number: u64, leap: *mut c_void) -> i64 {
    // SAFETY: `probe` passes a pointer to its own leap, which outlives the loop.
    let leap = unsafe { &mut *leap.cast::<Leap<P>>() };
    i64::from(leap.step(number).is_break())
}

impl Pool for KernelPool {
    type Opaque = Moved;

    #[inline(always)]
    fn len(&self) -> u32 {
        self.len
    }

    #[inline(always)]
    fn candidate(&self, position: u32) -> Option<Candidate> {
        let entry = self.entry(position)?;
        // verifier: an index below the number of dests
        let load = LOADS.get(0)?.get(entry.dest as usize & (MAX_DESTS - 1))?;
        Some(Candidate {
            weight: entry.weight,
            active: load.active as u32,
            inactive: load.total.wrapping_sub(load.active) as u32,
            overloaded: load.overloaded as u32 & 1,
        })
    }

    #[inline(always)]
    fn bucket(&self, index: u32) -> Option<u32> {
        // verifier: an index below the number of buckets
        let bucket = self.table.wrapping_add(index) as usize & (MAX_BUCKETS - 1);
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
    fn seek<S: Scan>(&self, start: u32, steps: u32, scan: S) -> S {
        let len = u64::from(self.len);
        let start = if start < self.len { u64::from(start) } else { 0 };
        let mut walk = Seek { pool: *self, start, len, scan };
        // SAFETY: the callback gets a pointer to the walk, which outlives the call.
        unsafe { bpf_loop(steps, seek::<S> as *mut c_void, (&raw mut walk).cast(), 0) };
        walk.scan
    }

    #[inline(always)]
    fn probe<P: Probe>(&self, steps: u32, probe: P) -> P {
        let mut walk = Leap { pool: *self, probe };
        // SAFETY: the callback gets a pointer to the leap, which outlives the call.
        unsafe { bpf_loop(steps, leap::<P> as *mut c_void, (&raw mut walk).cast(), 0) };
        walk.probe
    }
}
