//! How many errors the director sends of its own accord: a token bucket a CPU (`icmp_global_allow`).

/// Errors a second, and at once (`icmp_msgs_per_sec`, `icmp_msgs_burst`).
const PER_SECOND: u32 = 1000;
const BURST: u32 = 50;

/// Errors that may be sent now.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Limit {
    credit: u32,
    /// When credit was given last, ticks.
    since: u32,
}

impl Limit {
    /// Takes one off; whether there was one.
    #[inline(always)]
    pub fn take(&mut self, now: u32, ticks_per_second: u32) -> bool {
        let elapsed = now.wrapping_sub(self.since).min(ticks_per_second);
        let more = (elapsed * PER_SECOND).checked_div(ticks_per_second).unwrap_or(0);
        if more > 0 {
            self.since = now;
            self.credit = (self.credit + more).min(BURST);
        }
        let allowed = self.credit > 0;
        self.credit -= u32::from(allowed);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_at_once_and_a_thousand_a_second() {
        for ticks_per_second in [100, 250, 1000] {
            let mut limit = Limit::default();
            let start = u32::MAX - 10;
            let mut at = |now| (0..2000).filter(|_| limit.take(now, ticks_per_second)).count();
            assert_eq!(at(start), 50);
            assert_eq!(at(start), 0);
            let second = (1..=ticks_per_second).map(|tick| at(start.wrapping_add(tick)));
            assert_eq!(second.sum::<usize>(), 1000);
            assert_eq!(at(start.wrapping_add(100_000)), 50);
        }
    }
}
