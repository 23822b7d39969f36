//! A list of named steps, run one after the other until one fails, with a table at the end.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// One step of a longer run.
pub(crate) struct Step {
    name: &'static str,
    run: fn(&mut Tally) -> Result<()>,
}

/// What the tests of all steps reported so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
}

struct Outcome {
    name: &'static str,
    took: Duration,
    failure: Option<anyhow::Error>,
}

/// A line of the table of steps.
pub(crate) const fn step(name: &'static str, run: fn(&mut Tally) -> Result<()>) -> Step {
    Step { name, run }
}

/// Runs the steps up to the first that fails, then prints how each went and, last and on a line
/// of its own, `N passed, N failed`.
pub(crate) fn run(steps: impl IntoIterator<Item = &'static Step>) -> Result<()> {
    let mut tally = Tally::default();
    let mut outcomes = Vec::new();
    for step in steps {
        println!("\n=== {} ===", step.name);
        let outcome = perform(step, &mut tally);
        let failed = outcome.failure.is_some();
        outcomes.push(outcome);
        if failed {
            break;
        }
    }
    println!();
    for outcome in &outcomes {
        println!("{outcome}");
    }
    let failure = outcomes.pop().and_then(|outcome| outcome.failure);
    // A step can fail although none of its tests did.
    tally.failed = tally.failed.max(usize::from(failure.is_some()));
    println!("{tally}");
    match failure {
        Some(_) => bail!("the last step above failed"),
        None => Ok(()),
    }
}

fn perform(step: &Step, tally: &mut Tally) -> Outcome {
    let start = Instant::now();
    let failure = (step.run)(tally).err();
    Outcome { name: step.name, took: start.elapsed(), failure }
}

impl Tally {
    /// Counts the line if it is a summary as test programs print it:
    /// `test result: ok. 26 passed; 0 failed; 0 ignored; …`, or as this one does: `26 passed, 0 failed`.
    pub(crate) fn read(&mut self, line: &str) {
        if line.starts_with("test result: ") {
            self.passed += number_before("passed;", line);
            self.failed += number_before("failed;", line);
        } else if let Some(both) = line.strip_suffix(" failed")
            && let Some((passed, failed)) = both.split_once(" passed, ")
            && let (Ok(passed), Ok(failed)) = (passed.parse::<usize>(), failed.parse::<usize>())
        {
            self.passed += passed;
            self.failed += failed;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, took, failure } = self;
        write!(f, "{name:<24} {:>7.1} s  ", took.as_secs_f64())?;
        match failure {
            None => f.write_str("ok"),
            Some(error) => write!(f, "FAILED: {error:#}"),
        }
    }
}

fn number_before(word: &str, line: &str) -> usize {
    let words: Vec<_> = line.split_whitespace().collect();
    let pair = words.windows(2).find(|pair| pair[1] == word);
    pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn summaries_of_test_programs_are_added_up() {
        let mut tally = Tally::default();
        tally.read("test result: ok. 26 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        tally.read("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured");
        tally.read("test a::b ... ok");
        tally.read("10 passed, 1 failed");
        tally.read("what passed, what failed");
        assert_eq!(tally.to_string(), "39 passed, 3 failed");
    }

    #[test]
    fn the_first_failure_ends_the_run() {
        const STEPS: &[Step] = &[
            step("fails", |_| Err(anyhow!("as it should"))),
            step("is not run", |_| panic!("a step after the failure was run")),
        ];
        run(STEPS).unwrap_err();
        run(&STEPS[..0]).unwrap();
    }
}
