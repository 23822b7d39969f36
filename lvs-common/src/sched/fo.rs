//! Weighted failover.
//!
//! ```text
//! largest weight, among those with weight > 0 and not overloaded
//! ```
//!
//! Load counts for nothing. The first in the list wins ties.
//!
//! `ip_vs_fo.c`: `ip_vs_fo_schedule`.

use super::{
    heaviest::{Available, Heaviest},
    pool::{Pool, Scan},
};

/// Chooses.
#[inline(always)]
pub fn choose<P: Pool>(pool: &P) -> Option<u32> {
    pool.scan(Heaviest::<Available>::new(u32::MAX)).chosen()
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Servers, *};

    #[test]
    fn the_heaviest_takes_all_until_it_fails() {
        let mut servers = Servers::added(&[(1, 1), (2, 3), (3, 2)]);
        assert_eq!(servers.connect_each(3, choose), [2, 2, 2]);
        servers.candidate_mut(2).weight = 0;
        assert_eq!(servers.connect_each(1, choose), [3]);
        servers.candidate_mut(3).overloaded = 1;
        assert_eq!(servers.connect_each(1, choose), [1]);
        servers.candidate_mut(1).weight = 0;
        assert_eq!(servers.connect_each(1, choose), [0]);
    }

    #[test]
    fn the_newest_of_equals_is_first() {
        let mut servers = Servers::added(&[(1, 2), (2, 2), (3, 1)]);
        assert_eq!(servers.connect_each(2, choose), [2, 2]);
    }
}
