//! The fold of the schedulers that look for the least load: lc, wlc, sed, nq, and what lblc and
//! lblcr fall back on.

use core::{marker::PhantomData, ops::ControlFlow};

use super::{
    heaviest::available,
    pool::{Candidate, Scan},
    select::{NOBODY, Opaque, less, pick, position},
};

/// What a scheduler counts as the load of a real server.
///
/// Loads are compared per weight without dividing: `load * other weight < other load * weight`, in
/// signed 64 bits as in IPVS. With the largest weight, 2^31 - 1, that is exact up to 16 million
/// active connections to one real server; with weights below 2^22, for any number. (IPVS keeps the
/// load itself in 32 bits, which hold 8 million.)
pub trait Load {
    /// Its load, whatever its weight.
    fn load(of: Candidate) -> u64;

    /// What its load is divided by; 0 if it must not be chosen.
    #[inline(always)]
    #[must_use]
    fn share(of: Candidate) -> u64 {
        u64::from(available(of))
    }
}

/// All connections, an active one weighing as much as 257 others.
///
/// `ip_vs_dest_conn_overhead`: `active * 256 + total` since the counters were reworked in August
/// 2026 (stable 6.1.192, 6.12.117); before, `active * 256 + inactive`.
#[inline(always)]
#[must_use]
pub const fn overhead(of: Candidate) -> u64 {
    of.active as u64 * 257 + of.inactive as u64
}

/// The first with the least load per weight among those visited.
#[derive(Clone, Copy, Debug)]
pub struct LeastLoaded<L> {
    load: u64,
    share: u64,
    position: u64,
    rule: PhantomData<L>,
}

impl<L> Default for LeastLoaded<L> {
    /// Nothing found yet: endlessly loaded, so that any weight undercuts it.
    #[inline(always)]
    fn default() -> Self {
        Self { load: 1, share: 0, position: NOBODY.into(), rule: PhantomData }
    }
}

impl<L: Load> Scan for LeastLoaded<L> {
    #[inline(always)]
    fn visit<O: Opaque>(&mut self, position: u32, of: Candidate) -> ControlFlow<()> {
        let (load, share) = (L::load(of), L::share(of));
        let ours = self.load.wrapping_mul(share);
        let take = less::<O>(load.wrapping_mul(self.share), ours);
        self.load = pick(take, load, self.load);
        self.share = pick(take, share, self.share);
        self.position = pick(take, u64::from(position), self.position);
        // Nothing undercuts an idle one.
        if self.load == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "it came from a u32")]
    fn chosen(&self) -> Option<u32> {
        position(self.position as u32)
    }
}
