//! How one real server comes back: at once, or held back because it comes and goes, or slowly.

use std::{collections::VecDeque, time::Duration};

use super::{Damping, Health, Span};

/// The full share of a weight.
pub(super) const WHOLE: u16 = 1000;

/// Shares that a slow start goes through.
const STEPS: u64 = 10;

/// A real server's history. Times are from any beginning, as long as it is the same.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    health: Health,
    /// When it went down, oldest first; no more of them than damping counts.
    downs: VecDeque<Duration>,
    /// While it is down: since when its checks say up.
    good_since: Option<Duration>,
    /// When it last came back.
    back_since: Option<Duration>,
}

impl Recovery {
    /// A real server of which this is known.
    #[must_use]
    pub fn resumed(health: Health) -> Self {
        Self { health, ..Self::default() }
    }

    /// What is known of it.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health
    }

    /// Takes what its checks say at `now`: whether what is known has changed.
    pub fn note(&mut self, checks: Health, now: Duration, damping: Option<Damping>) -> bool {
        if checks != Health::Up {
            self.good_since = None;
        }
        let next = match (self.health, checks) {
            (Health::Down, Health::Up) => {
                let since = *self.good_since.get_or_insert(now);
                if now < since + self.hold(now, damping) {
                    return false;
                }
                self.good_since = None;
                self.back_since = Some(now);
                Health::Up
            }
            // A check more, of which nothing is known yet, is no reason for anything.
            (Health::Down, _) | (Health::Up, Health::Unknown) => return false,
            (Health::Unknown | Health::Up, Health::Down) => {
                self.downs.push_back(now);
                let most = damping.map_or(1, |damping| damping.flaps) as usize;
                while self.downs.len() > most {
                    self.downs.pop_front();
                }
                self.back_since = None;
                Health::Down
            }
            (_, checks) => checks,
        };
        std::mem::replace(&mut self.health, next) != next
    }

    /// Whether it is held back at `now`, and until when it has to stay good.
    #[must_use]
    pub fn held_until(&self, now: Duration, damping: Option<Damping>) -> Option<Duration> {
        let hold = self.hold(now, damping);
        self.good_since.map(|since| since + hold).filter(|until| *until > now)
    }

    /// Its share of its weight at `now`, of 1000, and when the next one is due.
    #[must_use]
    pub fn share(&self, now: Duration, slow_start: Span) -> (u16, Option<Duration>) {
        let Some(since) = self.back_since.filter(|_| !slow_start.is_zero()) else {
            return (WHOLE, None);
        };
        let total_ms = slow_start.as_ms();
        let passed_ms = u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(u64::MAX);
        if passed_ms >= total_ms {
            return (WHOLE, None);
        }
        let step = (passed_ms * STEPS / total_ms + 1).min(STEPS);
        let due = since + Duration::from_millis((step * total_ms).div_ceil(STEPS));
        (u16::try_from(step * u64::from(WHOLE) / STEPS).unwrap_or(WHOLE), Some(due))
    }

    /// How long its checks have to say up.
    fn hold(&self, now: Duration, damping: Option<Damping>) -> Duration {
        let Some(Damping { flaps, within, hold }) = damping else { return Duration::ZERO };
        // Counted back from when it became good: what holds it back does not end by itself.
        let from = self.good_since.unwrap_or(now).saturating_sub(within.duration());
        let recent = self.downs.iter().filter(|down| **down >= from).count();
        if recent >= flaps as usize { hold.duration() } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const DAMPING: Option<Damping> =
        Some(Damping { flaps: 3, within: Span::seconds(100), hold: Span::seconds(60) });

    #[test]
    fn a_third_flap_in_a_short_time_holds_it_back() {
        let mut it = Recovery::default();
        for (at, checks, changes) in [
            (0, Health::Up, true),
            (10, Health::Down, true),
            (20, Health::Up, true),
            (30, Health::Down, true),
            (40, Health::Up, true),
            (50, Health::Down, true),
            (60, Health::Up, false),
            (119, Health::Up, false),
            (120, Health::Up, true),
        ] {
            assert_eq!(it.note(checks, s(at), DAMPING), changes, "at {at}");
        }
        assert_eq!(it.health(), Health::Up);
    }

    #[test]
    fn while_it_is_held_back_a_failure_begins_the_time_anew() {
        let mut it = Recovery::default();
        for (at, checks) in [
            (0, Health::Down),
            (1, Health::Up),
            (2, Health::Down),
            (3, Health::Up),
            (4, Health::Down),
        ] {
            it.note(checks, s(at), DAMPING);
        }
        assert!(!it.note(Health::Up, s(5), DAMPING));
        assert_eq!(it.held_until(s(5), DAMPING), Some(s(65)));
        assert!(!it.note(Health::Down, s(50), DAMPING));
        assert_eq!(it.held_until(s(50), DAMPING), None);
        assert!(!it.note(Health::Up, s(60), DAMPING));
        assert!(!it.note(Health::Up, s(119), DAMPING));
        assert!(it.note(Health::Up, s(120), DAMPING));
    }

    #[test]
    fn a_slow_start_goes_up_by_tenths_after_a_return_only() {
        let slow = Span::seconds(100);
        let mut it = Recovery::default();
        it.note(Health::Up, s(0), None);
        assert_eq!(it.share(s(1), slow), (1000, None), "it was never away");
        it.note(Health::Down, s(10), None);
        it.note(Health::Up, s(20), None);
        assert_eq!(it.share(s(20), slow), (100, Some(s(30))));
        assert_eq!(it.share(s(75), slow), (600, Some(s(80))));
        assert_eq!(it.share(s(120), slow), (1000, None));
        assert_eq!(it.share(s(20), Span::default()), (1000, None));
    }

    proptest! {
        #[test]
        fn shares_never_fall_and_end_whole(
            slow_ms in 1u64..100_000, mut times in proptest::collection::vec(0u64..120_000, 1..40),
        ) {
            let mut it = Recovery::default();
            it.note(Health::Down, s(0), None);
            it.note(Health::Up, s(0), None);
            times.sort_unstable();
            let slow = Span::ms(slow_ms);
            let mut last = 1;
            for at in times {
                let (share, due) = it.share(Duration::from_millis(at), slow);
                prop_assert!((last..=WHOLE).contains(&share));
                prop_assert_eq!(due.is_none(), at >= slow_ms);
                if let Some(due) = due {
                    prop_assert!(due > Duration::from_millis(at));
                    prop_assert!(it.share(due, slow).0 > share || share == WHOLE);
                }
                last = share;
            }
        }

        #[test]
        fn without_damping_it_follows_its_checks(
            checks in proptest::collection::vec(any::<bool>(), 1..40),
        ) {
            let mut it = Recovery::default();
            for (at, is_up) in (0..).zip(checks) {
                let says = if is_up { Health::Up } else { Health::Down };
                it.note(says, s(at), None);
                prop_assert_eq!(it.health(), says);
            }
        }
    }
}
