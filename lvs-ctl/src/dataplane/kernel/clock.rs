//! The connection clock, told from user space: jiffies, as the program reads them.

use std::time::Duration;

use lvs_common::map::Tunables;

/// Ticks a second that a clock has at most, so that a month of them fits half of 32 bits.
const MOST: u64 = 300;

/// One reading of the kernel's two clocks, by the program itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Jiffies, 64 bits.
    pub(super) jiffies: u64,
    /// `CLOCK_MONOTONIC`.
    pub(super) monotonic: Duration,
}

/// How the connection clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    at: Reading,
    frequency: u64,
    shift: u32,
    offset: u32,
}

impl Clock {
    /// From a reading and the length of a jiffy; `None` if the length fits no kernel.
    pub(super) fn new(at: Reading, jiffy: Duration) -> Option<Self> {
        // 300 Hz makes jiffies of 3 333 333 ns.
        let frequency =
            1_000_000_000u128.checked_add(jiffy.as_nanos() / 2)? / jiffy.as_nanos().max(1);
        let frequency =
            u64::try_from(frequency).ok().filter(|hertz| (24..=10_000).contains(hertz))?;
        Some(Self { at, frequency, shift: shift(frequency), offset: 0 })
    }

    /// Ticks a second.
    #[expect(clippy::cast_possible_truncation, reason = "at most MOST")]
    pub(super) fn ticks_per_second(&self) -> u32 {
        (self.frequency >> self.shift) as u32
    }

    /// The clock as the maps' settings have it.
    pub(super) fn with(self, tunables: &Tunables) -> Self {
        Self { offset: tunables.clock_offset, ..self }
    }

    /// The tick at a time of `CLOCK_MONOTONIC`.
    #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
    pub(super) fn ticks(&self, monotonic: Duration) -> u32 {
        self.ticks_since_boot(monotonic) as u32
    }

    /// All of the clock.
    #[expect(clippy::cast_possible_truncation, reason = "jiffies are 64 bits")]
    pub(super) fn ticks_since_boot(&self, monotonic: Duration) -> u64 {
        let since = monotonic.saturating_sub(self.at.monotonic).as_nanos();
        let jiffies = self.at.jiffies + (since * u128::from(self.frequency) / 1_000_000_000) as u64;
        (jiffies >> self.shift).wrapping_add(self.offset.into())
    }
}

/// A tick is two to this power jiffies.
fn shift(frequency: u64) -> u32 {
    (0..8).find(|shift| frequency >> shift <= MOST).unwrap_or(8)
}

/// The shift for jiffies of this length, before there is a program to read them.
pub(super) fn shift_for(jiffy: Duration) -> u32 {
    Clock::new(Reading { jiffies: 0, monotonic: Duration::ZERO }, jiffy)
        .map_or(0, |clock| clock.shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(jiffies: u64, milliseconds: u64) -> Reading {
        Reading { jiffies, monotonic: Duration::from_millis(milliseconds) }
    }

    #[test]
    fn the_frequency_is_that_of_the_jiffy() {
        for (frequency, nanoseconds) in
            [(100, 10_000_000), (250, 4_000_000), (300, 3_333_333), (1000, 1_000_000)]
        {
            let clock = Clock::new(reading(0, 0), Duration::from_nanos(nanoseconds)).unwrap();
            assert_eq!(clock.frequency, frequency);
            assert!(u64::from(clock.ticks_per_second()) <= MOST);
        }
        assert_eq!(Clock::new(reading(0, 0), Duration::ZERO), None);
        assert_eq!(Clock::new(reading(0, 0), Duration::from_secs(1)), None);
    }

    #[test]
    fn ticks_are_jiffies_on_common_kernels_and_fewer_on_fast_ones() {
        let clock = Clock::new(reading(1000, 1000), Duration::from_millis(4)).unwrap();
        assert_eq!(clock.ticks(Duration::from_secs(3)), 1500);
        let fast = Clock::new(reading(4000, 1000), Duration::from_millis(1)).unwrap();
        assert_eq!((fast.shift, fast.ticks_per_second()), (2, 250));
        assert_eq!(fast.ticks(Duration::from_secs(3)), 1500);
    }
}
