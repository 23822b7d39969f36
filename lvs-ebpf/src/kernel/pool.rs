//! A service's real servers, over the maps.

use core::{ffi::c_void, ops::ControlFlow};

use aya_ebpf::helpers::{bpf_get_prandom_u32, generated::bpf_loop};
use lvs_common::{
    map::{MAX_DESTS, MAX_POOL, MAX_POOL_ENTRIES, MAX_SERVICES, PoolEntry, Service},
    sched::{Candidate, Pool, Probe, Scan},
};

use super::{
    atomic,
    maps::{CURSORS, LOADS, POOLS},
};

/// Steps of a scan that are made in line, before `bpf_loop` takes over: most choices end here.
const IN_LINE: u32 = 1;

/// The pool of a service.
#[derive(Clone, Copy)]
pub struct KernelPool {
    slot: u32,
    first: u32,
    len: u32,
}

impl KernelPool {
    /// The pool that a service points to.
    #[inline(always)]
    pub fn new(service: &Service) -> Self {
        Self { slot: service.slot, first: service.pool, len: service.len.min(MAX_POOL) }
    }

    /// The entry at a position.
    #[inline(always)]
    pub fn entry(self, position: u32) -> Option<PoolEntry> {
        let pools = POOLS.get(0)?;
        // verifier: an index below the number of entries
        let index = self.first.wrapping_add(position) as usize & (MAX_POOL_ENTRIES - 1);
        pools.get(index).copied()
    }

    #[inline(always)]
    fn word(self) -> Option<*mut u64> {
        let cursors = CURSORS.get_ptr_mut(0)?.cast::<u64>();
        // verifier: an index below the number of services
        Some(cursors.wrapping_add(self.slot as usize & (MAX_SERVICES - 1)))
    }
}

/// What `bpf_loop` carries from step to step.
struct Walk<S> {
    pool: KernelPool,
    position: u32,
    scan: S,
}

impl<S: Scan> Walk<S> {
    #[inline(always)]
    fn step(&mut self) -> ControlFlow<()> {
        if self.position >= self.pool.len {
            self.position = 0;
        }
        let Some(candidate) = self.pool.candidate(self.position) else {
            return ControlFlow::Break(());
        };
        self.scan.visit(self.position, candidate)?;
        self.position += 1;
        ControlFlow::Continue(())
    }
}

/// The callback of `bpf_loop`; not zero ends it.
unsafe extern "C" fn step<S: Scan>(_: u64, walk: *mut c_void) -> i64 {
    // SAFETY: `scan` passes a pointer to its own walk, which outlives the loop.
    let walk = unsafe { &mut *walk.cast::<Walk<S>>() };
    i64::from(walk.step().is_break())
}

impl Pool for KernelPool {
    #[inline(always)]
    fn len(&self) -> u32 {
        self.len
    }

    #[inline(always)]
    fn candidate(&self, position: u32) -> Option<Candidate> {
        let entry = self.entry(position)?;
        let loads = LOADS.get(0)?;
        // verifier: an index below the number of dests
        let load = loads.get(entry.dest as usize & (MAX_DESTS - 1))?;
        Some(Candidate {
            weight: entry.weight,
            active: load.active as u32,
            inactive: load.total.wrapping_sub(load.active) as u32,
            overloaded: load.overloaded as u32 & 1,
        })
    }

    #[inline(always)]
    fn bucket(&self, _: u32) -> Option<u32> {
        None
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
    fn scan<S: Scan>(&self, start: u32, steps: u32, scan: S) -> S {
        let mut walk = Walk { pool: *self, position: start, scan };
        let mut done = 0;
        while done < IN_LINE {
            if done >= steps || walk.step().is_break() {
                return walk.scan;
            }
            done += 1;
        }
        // SAFETY: the callback gets a pointer to the walk, which outlives the call.
        unsafe {
            bpf_loop(
                steps.saturating_sub(done),
                step::<S> as *mut c_void,
                (&raw mut walk).cast(),
                0,
            );
        }
        walk.scan
    }

    #[inline(always)]
    fn probe<P: Probe>(&self, _: u32, probe: P) -> P {
        probe
    }
}
