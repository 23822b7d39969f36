//! Shortest expected delay.
//!
//! ```text
//! least (active + 1) / weight, among those with weight > 0 and not overloaded
//! ```
//!
//! Inactive connections do not count, so under UDP, whose connections never are active, the
//! heaviest takes all. The first in the list wins ties.
//!
//! `ip_vs_sed.c`: `ip_vs_sed_schedule`.

use super::{
    least::{LeastLoaded, Load},
    pool::{Candidate, Pool, Scan},
};

/// Looks for the shortest expected delay.
pub type Sed = LeastLoaded<Delay>;

/// The load that sed compares per weight.
#[derive(Clone, Copy, Debug)]
pub enum Delay {}

impl Load for Delay {
    #[inline(always)]
    fn load(of: Candidate) -> u64 {
        u64::from(of.active) + 1
    }
}

/// Chooses.
#[inline(always)]
pub fn choose<P: Pool>(pool: &P) -> Option<u32> {
    pool.scan(Sed::default()).chosen()
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Servers, *};

    #[test]
    fn expects_the_shortest_delay_at_the_heavy_ones() {
        let mut servers = Servers::added(&[(1, 1), (2, 2), (3, 3)]);
        assert_eq!(servers.connect_each(12, choose), [3, 2, 3, 3, 2, 1, 3, 2, 3, 3, 2, 1]);
    }

    #[test]
    fn inactive_connections_do_not_count() {
        let mut servers = Servers::added(&[(1, 1), (2, 2)]);
        servers.candidate_mut(2).inactive = 1_000_000;
        assert_eq!(servers.connect_each(1, choose), [2]);
    }

    #[test]
    fn passes_over_quiesced_and_overloaded() {
        let mut servers = Servers::added(&[(1, 1), (2, 0), (3, 9)]);
        servers.candidate_mut(3).overloaded = 1;
        assert_eq!(servers.connect_each(1, choose), [1]);
    }
}
