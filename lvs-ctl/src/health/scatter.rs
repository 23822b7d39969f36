//! Chance enough to keep checks from falling on the same moment.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

/// A stream of numbers (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Scatter(u64);

/// A number that differs from call to call.
pub(super) fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

impl Scatter {
    pub(super) fn new() -> Self {
        Self(seed())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Somewhere below `length`.
    pub(super) fn below(&mut self, length: Duration) -> Duration {
        let us = u64::try_from(length.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.next() % us)
    }

    /// `length`, shortened by up to so many percent.
    pub(super) fn shortened(&mut self, length: Duration, percent: u8) -> Duration {
        length.saturating_sub(self.below(length * u32::from(percent) / 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_shortened_by_no_more_than_its_jitter() {
        let mut scatter = Scatter::new();
        let length = Duration::from_secs(5);
        for _ in 0..1000 {
            let shortened = scatter.shortened(length, 10);
            assert!((length * 9 / 10..=length).contains(&shortened), "{shortened:?}");
            assert_eq!(scatter.shortened(length, 0), length);
        }
    }
}
