//! Least connection.
//!
//! ```text
//! least active * 257 + inactive, among those with weight > 0 and not overloaded
//! ```
//!
//! Weights count for nothing else; the first in the list wins ties.
//!
//! `ip_vs_lc.c`: `ip_vs_lc_schedule`.

use super::{
    heaviest::available,
    least::{LeastLoaded, Load, overhead},
    pool::{Candidate, Pool, Scan},
};

/// Looks for the fewest connections.
pub type Lc = LeastLoaded<Connections>;

/// The load that lc compares.
#[derive(Clone, Copy, Debug)]
pub enum Connections {}

impl Load for Connections {
    #[inline(always)]
    fn load(of: Candidate) -> u64 {
        overhead(of)
    }

    /// 1 for any weight; a sum, because a comparison would become a branch.
    #[inline(always)]
    fn share(of: Candidate) -> u64 {
        (u64::from(available(of)) + 0x7fff_ffff) >> 31
    }
}

/// Chooses.
#[inline(always)]
pub fn choose<P: Pool>(pool: &P) -> Option<u32> {
    pool.scan(Lc::default()).chosen()
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Servers, *};

    #[test]
    fn counts_connections_and_not_weights() {
        let mut servers = Servers::added(&[(1, 1), (2, 2), (3, 2_147_483_647)]);
        assert_eq!(servers.connect_each(9, choose), [3, 2, 1, 3, 2, 1, 3, 2, 1]);
    }

    #[test]
    fn an_active_one_weighs_as_much_as_257_inactive() {
        let mut servers = Servers::added(&[(1, 1), (2, 1)]);
        servers.candidate_mut(1).active = 1;
        servers.candidate_mut(2).inactive = 256;
        assert_eq!(servers.connect_each(1, choose), [2]);
        let mut servers = Servers::added(&[(2, 1), (1, 1)]);
        servers.candidate_mut(1).active = 1;
        servers.candidate_mut(2).inactive = 257;
        assert_eq!(servers.connect_each(1, choose), [1]);
    }

    #[test]
    fn passes_over_quiesced_and_overloaded() {
        let mut servers = Servers::added(&[(1, 1), (2, 0), (3, 1)]);
        servers.candidate_mut(3).overloaded = 1;
        assert_eq!(servers.connect_each(2, choose), [1, 1]);
        servers.candidate_mut(1).weight = 0;
        assert_eq!(servers.connect_each(1, choose), [0]);
    }
}
