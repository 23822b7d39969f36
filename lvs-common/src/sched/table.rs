//! Choosing from a table of buckets: what sh, dh and mh have in common.

use core::ops::ControlFlow;

use super::{
    heaviest,
    pool::{Candidate, Pool, Probe},
};

/// A bucket that holds no position.
pub const EMPTY: u16 = u16::MAX;

/// The real server in this bucket, if it may be chosen.
#[inline(always)]
pub(super) fn available<P: Pool>(bucket: u32, pool: &P) -> Option<u32> {
    let position = pool.bucket(bucket)?;
    if heaviest::available(pool.candidate(position)?) == 0 { None } else { Some(position) }
}

/// The first real server that may be chosen after the one hashed to, which may not.
///
/// `bucket_at` gives the bucket of an offset below `size`. The probe goes on from the offset that
/// equals the *number of the first bucket*, so it may skip and repeat; that is IPVS's way.
#[inline(always)]
pub(super) fn fall_back<P: Pool>(
    first: u32,
    size: u32,
    bucket_at: impl Fn(u32) -> u32,
    pool: &P,
) -> Option<u32> {
    // An empty first bucket ends the search.
    pool.bucket(first)?;
    pool.probe(size, FirstAvailable { first, size, bucket_at, found: None }).found
}

struct FirstAvailable<F> {
    first: u32,
    size: u32,
    bucket_at: F,
    found: Option<u32>,
}

impl<F: Fn(u32) -> u32> Probe for FirstAvailable<F> {
    #[inline(always)]
    fn bucket(&self, step: u32) -> u32 {
        let offset = self.first.wrapping_add(step);
        (self.bucket_at)(if offset < self.size { offset } else { offset.wrapping_sub(self.size) })
    }

    #[inline(always)]
    fn visit(&mut self, position: u32, of: Candidate) -> ControlFlow<()> {
        if self.found.is_none() && heaviest::available(of) > 0 {
            self.found = Some(position);
        }
        if self.found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
