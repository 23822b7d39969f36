//! Rates as the kernel estimates them (`ip_vs_est.c`): every two seconds, a quarter of the way.

use std::time::Duration;

use crate::model::{Counters, Rates};

/// How often [`Estimator::tick`] is to be called.
pub const PERIOD: Duration = Duration::from_secs(2);

/// The moving averages of five counters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Estimator {
    last: Counters,
    /// Scaled by 2^10 for connections and packets, by 2^5 for bytes.
    averages: [i64; 5],
}

impl Estimator {
    /// An estimator that has seen `counters` and nothing move.
    #[must_use]
    pub fn new(counters: Counters) -> Self {
        Self { last: counters, averages: [0; 5] }
    }

    /// Takes the counters' values of one period later.
    pub fn tick(&mut self, counters: Counters) {
        let delta = counters.since(self.last);
        let deltas =
            [delta.conns, delta.in_packets, delta.out_packets, delta.in_bytes, delta.out_bytes];
        self.last = counters;
        for (index, (average, delta)) in self.averages.iter_mut().zip(deltas).enumerate() {
            let rate = delta.cast_signed().wrapping_shl(scale(index) - 1);
            *average = average.wrapping_add(rate.wrapping_sub(*average) >> 2);
        }
    }

    /// The counters that it was last shown.
    #[must_use]
    pub fn seen(&self) -> Counters {
        self.last
    }

    /// Forgets what moved (`-Z`).
    pub fn zero(&mut self) {
        self.averages = [0; 5];
    }

    /// The rates, rounded as they are shown.
    #[must_use]
    pub fn rates(&self) -> Rates {
        let shown = |index: usize| {
            let half = (1 << (scale(index) - 1)) - 1;
            ((self.averages[index] + half) >> scale(index)).cast_unsigned()
        };
        Rates {
            cps: shown(0),
            in_pps: shown(1),
            out_pps: shown(2),
            in_bps: shown(3),
            out_bps: shown(4),
        }
    }
}

/// Binary digits behind the point.
fn scale(index: usize) -> u32 {
    if index < 3 { 10 } else { 5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_fades_as_in_the_kernel() {
        let mut estimator = Estimator::default();
        let burst = Counters { in_packets: 40, in_bytes: 4000, ..Counters::default() };
        // Recorded on 6.1: 40 packets of 100 bytes from idle.
        for (pps, bps) in [(5, 500), (4, 375)] {
            estimator.tick(burst);
            let rates = estimator.rates();
            assert_eq!((rates.in_pps, rates.in_bps), (pps, bps));
        }
        let mut seen = Vec::new();
        for _ in 0..4 {
            estimator.tick(burst);
            let rates = estimator.rates();
            seen.push((rates.in_pps, rates.in_bps));
        }
        assert_eq!(seen, [(3, 281), (2, 211), (2, 158), (1, 119)]);
    }

    #[test]
    fn a_steady_flow_is_its_own_rate() {
        let mut estimator = Estimator::default();
        for period in 1..=60 {
            estimator.tick(Counters { conns: 20 * period, ..Counters::default() });
        }
        assert_eq!(estimator.rates().cps, 10);
    }

    #[test]
    fn zeroing_forgets_the_past_only() {
        let mut estimator = Estimator::default();
        estimator.tick(Counters { conns: 1000, ..Counters::default() });
        estimator.zero();
        assert_eq!(estimator.rates(), Rates::default());
        estimator.tick(Counters { conns: 1000, ..Counters::default() });
        assert_eq!(estimator.rates(), Rates::default());
    }
}
