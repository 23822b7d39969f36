//! Weighted overflow.
//!
//! ```text
//! largest weight, among those with weight > 0, not overloaded and active <= weight
//! ```
//!
//! So a real server takes weight + 1 active connections before they flow over to the next; all
//! full: nothing is chosen. UDP connections never are active and never overflow. The first in the
//! list wins ties.
//!
//! `ip_vs_ovf.c`: `ip_vs_ovf_schedule`.

use super::{
    heaviest::{Heaviest, Weigh, available},
    pool::{Candidate, Pool, Scan},
    select::{Opaque, less},
};

/// Its weight, or 0 when it is full.
#[derive(Clone, Copy, Debug)]
pub enum Spare {}

impl Weigh for Spare {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a mask of ones or zeros")]
    fn weight<O: Opaque>(of: Candidate) -> u32 {
        let full = less::<O>(of.weight.into(), of.active.into());
        available(of) & !(full as u32)
    }
}

/// Chooses.
#[inline(always)]
pub fn choose<P: Pool>(pool: &P) -> Option<u32> {
    pool.scan(Heaviest::<Spare>::new(u32::MAX)).chosen()
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Servers, *};

    #[test]
    fn flows_over_after_one_more_than_the_weight() {
        let mut servers = Servers::added(&[(1, 1), (2, 2), (3, 3)]);
        assert_eq!(servers.connect_each(11, choose), [3, 3, 3, 3, 2, 2, 2, 1, 1, 0, 0]);
    }

    #[test]
    fn quiesced_is_not_spare() {
        let mut servers = Servers::added(&[(1, 0)]);
        assert_eq!(servers.connect_each(1, choose), [0]);
    }
}
