//! Counters: known traffic, and what `ipvsadm` says of it.

mod rates;
mod steps;
mod traffic;

use anyhow::Result;
use lvs_tests::rig::Rig;
use serde::Deserialize;

/// A case as it lies in the file.
#[derive(Deserialize)]
pub(crate) struct Recorded {
    commands: Vec<String>,
    /// In words.
    traffic: String,
    steps: Steps,
}

/// The two kinds of steps.
#[derive(Deserialize)]
#[serde(untagged)]
enum Steps {
    /// Commands after this or that.
    Commands(Vec<steps::Step>),
    /// Rates while traffic goes on.
    Rates(Vec<rates::Step>),
}

/// Plays a case; what differs.
///
/// # Errors
/// It cannot be played, or not to its end.
pub(crate) fn play(rig: &mut Rig<'_>, case: &Recorded) -> Result<Vec<String>> {
    for line in &case.commands {
        rig.must(line)?;
    }
    match &case.steps {
        Steps::Commands(recorded) => steps::play(rig, &case.traffic, &case.commands, recorded),
        Steps::Rates(recorded) => rates::play(rig, &case.traffic, &case.commands, recorded),
    }
}
