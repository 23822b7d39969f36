//! Who answered how often.
#![forbid(unsafe_code)]

use std::{collections::BTreeMap, fmt};

use anyhow::Result;

/// Answers counted by real server, and what went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    answers: BTreeMap<String, usize>,
    failures: Vec<String>,
}

impl Split {
    /// Counts one attempt: the name that answered, or the failure.
    pub fn count(&mut self, answered: Result<String>) {
        match answered {
            Ok(name) => *self.answers.entry(name).or_default() += 1,
            Err(error) => self.failures.push(format!("{error:#}")),
        }
    }

    /// Both counts together.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        for (name, count) in other.answers {
            *self.answers.entry(name).or_default() += count;
        }
        self.failures.extend(other.failures);
        self
    }

    /// How often the server answered.
    #[must_use]
    pub fn of(&self, name: &str) -> usize {
        self.answers.get(name).copied().unwrap_or(0)
    }

    /// All answers, by server.
    pub fn answers(&self) -> impl Iterator<Item = (&str, usize)> {
        self.answers.iter().map(|(name, &count)| (name.as_str(), count))
    }

    /// How many were answered, by whomever.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.answers.values().sum()
    }

    /// What went wrong, one line a failed attempt.
    #[must_use]
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// These servers answered exactly so often, nobody else did, nothing failed.
    ///
    /// # Panics
    ///
    /// When it is not so: shows what was.
    #[track_caller]
    pub fn assert_is(&self, expected: &[(&str, usize)]) {
        let expected: BTreeMap<_, _> =
            expected.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
        let right = self.failures.is_empty() && self.answers == expected;
        assert!(right, "expected {expected:?}, got {self}");
    }

    /// Nothing failed, and each server's share of the answers is its share of the weights, give or
    /// take `tolerance` (0.02 is two hundredths of all answers).
    ///
    /// # Panics
    ///
    /// When it is not so: shows what was.
    #[track_caller]
    pub fn assert_shares(&self, weights: &[(&str, u32)], tolerance: f64) {
        assert!(self.failures.is_empty() && self.answered() > 0, "{self}");
        let sum: u32 = weights.iter().map(|(_, weight)| weight).sum();
        let known: usize = weights.iter().map(|(name, _)| self.of(name)).sum();
        assert_eq!(known, self.answered(), "somebody else answered: {self}");
        for (name, weight) in weights {
            let (expected, got) =
                (share(*weight as usize, sum as usize), share(self.of(name), known));
            assert!(
                (expected - got).abs() <= tolerance,
                "{name}: expected a share of {expected:.3} ± {tolerance}, got {got:.3}: {self}"
            );
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.answers {
            write!(f, "{name}: {count}, ")?;
        }
        write!(f, "failures: {}", self.failures.len())?;
        for failure in self.failures.iter().take(5) {
            write!(f, "\n  {failure}")?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn split(counts: &[(&str, usize)]) -> Split {
        let mut split = Split::default();
        for &(name, count) in counts {
            (0..count).for_each(|_| split.count(Ok(name.to_owned())));
        }
        split
    }

    #[test]
    fn an_exact_split_is_accepted() {
        split(&[("a", 3), ("b", 1)]).assert_is(&[("a", 3), ("b", 1)]);
    }

    #[test]
    #[should_panic(expected = "a: 3, b: 1, failures: 0")]
    fn another_split_is_refused_and_shown() {
        split(&[("a", 3), ("b", 1)]).assert_is(&[("a", 2), ("b", 2)]);
    }

    #[test]
    #[should_panic(expected = "failures: 1\n  refused")]
    fn a_failure_is_never_a_good_split() {
        let mut split = split(&[("a", 1)]);
        split.count(Err(anyhow!("refused")));
        split.assert_is(&[("a", 1)]);
    }

    #[test]
    fn shares_near_the_weights_are_accepted() {
        split(&[("a", 76), ("b", 24)]).assert_shares(&[("a", 3), ("b", 1)], 0.02);
    }

    #[test]
    #[should_panic(expected = "somebody else answered")]
    fn an_answer_of_an_unexpected_server_is_refused() {
        split(&[("a", 50), ("c", 1)]).assert_shares(&[("a", 1)], 0.1);
    }
}
