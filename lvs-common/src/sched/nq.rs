//! Never queue.
//!
//! ```text
//! the first with active = 0, else least (active + 1) / weight,
//! among those with weight > 0 and not overloaded
//! ```
//!
//! Inactive connections do not count. The first in the list wins ties.
//!
//! `ip_vs_nq.c`: `ip_vs_nq_schedule`.

use super::{
    least::{LeastLoaded, Load},
    pool::{Candidate, Pool, Scan},
};

/// Looks for an idle real server, or the shortest expected delay.
pub type Nq = LeastLoaded<DelayIfBusy>;

/// The load that nq compares per weight: sed's, but none at all where nobody is served.
#[derive(Clone, Copy, Debug)]
pub enum DelayIfBusy {}

impl Load for DelayIfBusy {
    #[inline(always)]
    fn load(of: Candidate) -> u64 {
        let active = u64::from(of.active);
        // 1 unless idle; a sum, because a comparison would become a branch.
        active + ((active + 0xffff_ffff) >> 32)
    }
}

/// Chooses.
#[inline(always)]
pub fn choose<P: Pool>(pool: &P) -> Option<u32> {
    pool.scan(Nq::default()).chosen()
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Servers, *};

    #[test]
    fn gives_each_one_before_anybody_waits() {
        let mut servers = Servers::added(&[(1, 1), (2, 2), (3, 3)]);
        assert_eq!(servers.connect_each(14, choose), [3, 2, 1, 3, 3, 2, 3, 2, 3, 3, 2, 1, 3, 2]);
    }

    #[test]
    fn takes_the_first_idle_one_however_light() {
        let mut servers = Servers::added(&[(1, 100), (2, 1), (3, 50)]);
        servers.candidate_mut(3).active = 1;
        assert_eq!(servers.connect_each(1, choose), [2]);
    }

    #[test]
    fn idle_does_not_help_the_quiesced_and_the_overloaded() {
        let mut servers = Servers::added(&[(1, 1), (2, 0), (3, 9)]);
        servers.candidate_mut(1).active = 7;
        servers.candidate_mut(3).overloaded = 1;
        assert_eq!(servers.connect_each(1, choose), [1]);
    }
}
