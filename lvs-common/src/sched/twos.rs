//! Power of two choices.
//!
//! ```text
//! of two real servers drawn at random, each as likely as its weight, the one with the
//! lesser (active * 257 + inactive) / weight, among those with weight > 0 and not overloaded
//! ```
//!
//! Both draws may fall on the same. A draw is a random number from 0 to the sum of the weights,
//! both included, that the weights are taken off from, in the order of the list, until it is 0 or
//! less: the first real server is drawn a little more often than its weight says. The first draw
//! wins ties.
//!
//! `ip_vs_twos.c`: `ip_vs_twos_schedule`.

use core::ops::ControlFlow;

use super::{
    heaviest::available,
    least::overhead,
    pool::{Candidate, Pool, Scan},
    select::{NOBODY, Opaque, less, pick, position},
};

/// Chooses.
#[inline(always)]
pub fn choose<P: Pool>(pool: &P) -> Option<u32> {
    let sum = pool.scan(Sum::default()).0;
    let first = draw(sum, pool)?;
    let second = draw(sum, pool)?;
    let (of_first, of_second) = (pool.candidate(first)?, pool.candidate(second)?);
    let cross =
        |load: Candidate, weight: Candidate| overhead(load).wrapping_mul(weight.weight.into());
    Some(if cross(of_second, of_first) < cross(of_first, of_second) { second } else { first })
}

/// Draws one; `sum` is that of the weights.
#[inline(always)]
fn draw<P: Pool>(sum: u64, pool: &P) -> Option<u32> {
    let left = below(sum.wrapping_add(1), pool.random());
    pool.scan(Draw { left, weight: 0, position: NOBODY.into() }).chosen()
}

/// A number below `bound` (at most 2^48) from a random word, as `reciprocal_scale` does.
#[inline(always)]
const fn below(bound: u64, random: u32) -> u64 {
    let random = random as u64;
    // (bound * random) >> 32, in halves that cannot overflow.
    (bound >> 32).wrapping_mul(random).wrapping_add(((bound & 0xffff_ffff) * random) >> 32)
}

/// The sum of the weights that may be chosen.
#[derive(Clone, Copy, Debug, Default)]
struct Sum(u64);

impl Scan for Sum {
    #[inline(always)]
    fn visit<O: Opaque>(&mut self, _position: u32, of: Candidate) -> ControlFlow<()> {
        self.0 = self.0.wrapping_add(u64::from(available(of)));
        ControlFlow::Continue(())
    }

    #[inline(always)]
    fn chosen(&self) -> Option<u32> {
        None
    }
}

/// The first where the weights, added up, reach what was `left` to the draw.
#[derive(Clone, Copy, Debug)]
struct Draw {
    left: u64,
    /// Of the one drawn; 0: none yet.
    weight: u64,
    position: u64,
}

impl Scan for Draw {
    #[inline(always)]
    fn visit<O: Opaque>(&mut self, position: u32, of: Candidate) -> ControlFlow<()> {
        let weight = u64::from(available(of));
        self.left = self.left.wrapping_sub(weight);
        let take = less::<O>(self.left, 1) & less::<O>(0, weight) & less::<O>(self.weight, 1);
        self.weight = pick(take, weight, self.weight);
        self.position = pick(take, u64::from(position), self.position);
        if self.weight == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "it came from a u32")]
    fn chosen(&self) -> Option<u32> {
        position(self.position as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Servers, *};

    #[test]
    fn draws_in_the_ratio_of_the_weights() {
        let servers = Servers::added(&[(1, 1), (2, 2), (3, 5)]);
        let mut counts = [0; 3];
        for _ in 0..8000 {
            counts[choose(&servers).unwrap() as usize] += 1;
        }
        // One of the two idle ones: the first draw. Its chances: 6 of 9, 2 of 9, 1 of 9.
        assert!((5100..5600).contains(&counts[0]), "{counts:?}");
        assert!((1600..2000).contains(&counts[1]), "{counts:?}");
        assert!((750..1050).contains(&counts[2]), "{counts:?}");
    }

    #[test]
    fn the_less_loaded_of_two_is_taken() {
        let mut servers = Servers::added(&[(1, 1), (2, 1)]);
        servers.candidate_mut(2).active = 10;
        let to_busy = (0..900).filter(|_| choose(&servers) == Some(0)).count();
        // Only when both draws fall on it: (2/3)^2.
        assert!((350..450).contains(&to_busy), "{to_busy}");
    }

    #[test]
    fn quiesced_and_overloaded_are_never_drawn() {
        let mut servers = Servers::added(&[(1, 0), (2, 3), (3, 7)]);
        servers.candidate_mut(3).overloaded = 1;
        assert!((0..200).all(|_| choose(&servers) == Some(1)));
        servers.candidate_mut(2).weight = 0;
        assert_eq!(choose(&servers), None);
    }

    #[test]
    fn scales_a_random_word_below_any_bound() {
        assert_eq!(below(1, u32::MAX), 0);
        assert_eq!(below(9, u32::MAX), 8);
        assert_eq!(below(9, 0), 0);
        assert_eq!(below(1 << 41, u32::MAX), (1 << 41) - (1 << 9));
    }
}
