//! Weighted least connection.
//!
//! ```text
//! least (active * 257 + inactive) / weight, among those with weight > 0 and not overloaded
//! ```
//!
//! The first in the list wins ties.
//!
//! `ip_vs_wlc.c`: `ip_vs_wlc_schedule`.

use super::{
    least::{LeastLoaded, Load, overhead},
    pool::{Candidate, Pool, Scan},
};

/// Looks for the fewest connections per weight.
pub type Wlc = LeastLoaded<Connections>;

/// The load that wlc compares per weight.
#[derive(Clone, Copy, Debug)]
pub enum Connections {}

impl Load for Connections {
    #[inline(always)]
    fn load(of: Candidate) -> u64 {
        overhead(of)
    }
}

/// Chooses.
#[inline(always)]
pub fn choose<P: Pool>(pool: &P) -> Option<u32> {
    pool.scan(Wlc::default()).chosen()
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Servers, *};

    #[test]
    fn shares_connections_out_by_weight() {
        let mut servers = Servers::added(&[(1, 1), (2, 2), (3, 3)]);
        assert_eq!(servers.connect_each(12, choose), [3, 2, 1, 3, 2, 3, 3, 2, 1, 3, 2, 3]);
        let mut servers = Servers::added(&[(3, 3), (2, 2), (1, 1)]);
        assert_eq!(servers.connect_each(12, choose), [1, 2, 3, 3, 2, 3, 1, 2, 3, 3, 2, 3]);
    }

    #[test]
    fn the_first_in_the_list_wins_ties() {
        let mut servers = Servers::added(&[(1, 2), (2, 4)]);
        servers.candidate_mut(1).active = 1;
        servers.candidate_mut(2).active = 2;
        assert_eq!(servers.connect_each(1, choose), [2]);
    }

    #[test]
    fn compares_exactly_at_the_largest_weight() {
        let mut servers = Servers::added(&[(1, 2_147_483_647), (2, 2_147_483_646)]);
        servers.candidate_mut(1).active = 16_000_000;
        servers.candidate_mut(2).active = 16_000_000;
        assert_eq!(servers.connect_each(1, choose), [1]);
    }

    #[test]
    fn quiesced_or_overloaded_is_not_chosen_even_alone() {
        let mut servers = Servers::added(&[(1, 0)]);
        assert_eq!(servers.connect_each(1, choose), [0]);
        *servers.candidate_mut(1) = Candidate { weight: 1, overloaded: 1, ..Candidate::default() };
        assert_eq!(servers.connect_each(1, choose), [0]);
    }
}
