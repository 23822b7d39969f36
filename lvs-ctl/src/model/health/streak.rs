//! The results of one check in a row: when they make a difference, and when the next one is due.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timing;

/// What is known of a real server, or what one of its checks says.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// No verdict yet: it counts as up.
    #[default]
    Unknown,
    /// Up.
    Up,
    /// Down.
    Down,
}

/// One check's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Streak {
    health: Health,
    /// Results in a row that contradict `health`.
    against: u32,
}

impl Streak {
    /// What is known after another check of the same real server had said so.
    #[must_use]
    pub fn resumed(health: Health) -> Self {
        Self { health, against: 0 }
    }

    /// What the results say.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health
    }

    /// Takes one result: whether what they say has changed.
    ///
    /// The first success is a verdict. A failure is one after `fall` in a row, the first ones as
    /// well, so that what was up when the director started stays up until then.
    pub fn note(&mut self, is_good: bool, timing: &Timing) -> bool {
        let (says, enough) = match (is_good, self.health) {
            (true, Health::Unknown) => (Health::Up, 1),
            (true, _) => (Health::Up, timing.rise),
            (false, _) => (Health::Down, timing.fall),
        };
        if says == self.health {
            self.against = 0;
            return false;
        }
        self.against += 1;
        if self.against < enough {
            return false;
        }
        *self = Self::resumed(says);
        true
    }

    /// From the beginning of the last check to that of the next, without jitter: sooner while
    /// failures have not decided yet.
    #[must_use]
    pub fn pause(&self, timing: &Timing) -> Duration {
        let is_deciding = self.against > 0 && self.health != Health::Down;
        if is_deciding { timing.retry } else { timing.interval }.duration()
    }
}

impl Health {
    /// Whether connections may go there as far as this says.
    #[must_use]
    pub fn is_up(self) -> bool {
        self != Self::Down
    }

    /// What several checks say together: down if one says so, up if all do.
    #[must_use]
    pub fn all(of: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::Up;
        for health in of {
            match health {
                Self::Down => return Self::Down,
                Self::Unknown => all = Self::Unknown,
                Self::Up => (),
            }
        }
        all
    }

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timing(rise: u32, fall: u32) -> Timing {
        Timing { rise, fall, ..Timing::DEFAULT }
    }

    /// What the results make of a fresh streak, one by one.
    fn story(rise: u32, fall: u32, results: &str) -> String {
        let mut streak = Streak::default();
        let letter = |result| {
            streak.note(result == '+', &timing(rise, fall));
            match streak.health() {
                Health::Unknown => '?',
                Health::Up => 'u',
                Health::Down => 'd',
            }
        };
        results.chars().map(letter).collect()
    }

    #[test]
    fn nothing_goes_down_before_as_many_failures_as_fall_says() {
        assert_eq!(story(1, 3, "---"), "??d");
        assert_eq!(story(1, 1, "-"), "d");
        assert_eq!(story(1, 3, "--+--+---"), "??uuuuuud");
    }

    #[test]
    fn nothing_comes_back_before_as_many_successes_as_rise_says() {
        assert_eq!(story(3, 1, "-++-+++"), "ddddddu");
        assert_eq!(story(3, 1, "+"), "u", "the first verdict needs only one");
    }

    #[test]
    fn the_next_check_comes_sooner_while_failures_have_not_decided() {
        let timing = timing(2, 2);
        let mut streak = Streak::default();
        streak.note(true, &timing);
        assert_eq!(streak.pause(&timing), timing.interval.duration());
        streak.note(false, &timing);
        assert_eq!(streak.pause(&timing), timing.retry.duration());
        streak.note(false, &timing);
        assert_eq!(streak.pause(&timing), timing.interval.duration(), "it is down by now");
        streak.note(true, &timing);
        assert_eq!(streak.pause(&timing), timing.interval.duration());
    }

    #[test]
    fn a_real_server_is_up_if_all_its_checks_say_so() {
        use Health::{Down, Unknown, Up};
        assert_eq!(Health::all([Up, Up]), Up);
        assert_eq!(Health::all([Up, Unknown]), Unknown);
        assert_eq!(Health::all([Unknown, Down, Up]), Down);
        assert_eq!(Health::all([]), Up);
    }

    proptest! {
        #[test]
        fn health_follows_the_last_results(
            rise in 1u32..5, fall in 1u32..5,
            results in proptest::collection::vec(any::<bool>(), 1..60),
        ) {
            let mut streak = Streak::default();
            let mut known = Health::Unknown;
            for now in 0..results.len() {
                let changed = streak.note(results[now], &timing(rise, fall));
                prop_assert_eq!(changed, streak.health() != known);
                let ends_with = |what: bool, times: u32| {
                    let times = times as usize;
                    now + 1 >= times && results[now + 1 - times..=now].iter().all(|it| *it == what)
                };
                let expected = match known {
                    Health::Unknown if results[now] => Health::Up,
                    Health::Unknown | Health::Up if ends_with(false, fall) => Health::Down,
                    Health::Down if ends_with(true, rise) => Health::Up,
                    same => same,
                };
                prop_assert_eq!(streak.health(), expected);
                known = expected;
            }
        }
    }
}
