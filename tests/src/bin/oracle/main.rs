//! `oracle [DIR]…`: plays recordings of kernel IPVS to the loaded program and tells where the two part.
//!
//! Every recording below the directories, by what a case holds: scheduling ([`sched`]), connection states
//! packet by packet ([`state`]), counters ([`counters`]), command lines ([`cli`]). Rules are set by `lvs-ctl`'s own ipvsadm, packets
//! go through the program in the kernel, frame by frame, and time is a clock moved by hand: see
//! [`lvs_tests::rig`]. Without a directory, the project's own recordings, of which those that
//! [`scope`] names are told apart.
//!
//! Closes with a line `N passed, N failed`. Needs root.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "what it finds is what it is for")]

mod cli;
mod compare;
mod conns;
mod counters;
mod recordings;
mod sched;
mod scope;
mod state;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;
use lvs_tests::rig::{Place, Rig};

use self::recordings::{Case, Recording};

/// Differences of one case that are shown.
const SHOWN: usize = 12;

#[derive(Parser)]
struct Arguments {
    /// Directories of recordings; the project's own if none is given
    directories: Vec<PathBuf>,
    /// Only cases whose `group/name` contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    /// Told apart: how many wait for what.
    later: BTreeMap<&'static str, usize>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(Tally { failed: 0, passed: 1.., .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("oracle: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Tally> {
    let own = arguments.directories.is_empty();
    let directories = if own { recordings::own() } else { arguments.directories.clone() };
    let place = Place::enter()?;
    let mut rig = Rig::new(&place)?;
    let mut controller = cli::Lazy::default();
    let mut tally = Tally::default();
    for case in recordings::below(&directories)? {
        let title = case.title();
        if arguments.only.as_ref().is_some_and(|only| !title.contains(only.as_str())) {
            continue;
        }
        let differences = match &case.recording {
            Recording::Cli(recorded) => told(cli::play(&place, &mut controller, recorded)),
            _ => play(&mut rig, &case),
        };
        let later = if own { scope::later(&case) } else { None };
        tally.count(&title, &differences, later);
        if let Err(left) = rig.reset() {
            tally.count(&format!("{title}, afterwards"), &[format!("{left:#}")], later);
            rig = Rig::new(&place)?;
        }
    }
    if own && arguments.only.is_none() {
        tally.check_scope();
    }
    if !tally.later.is_empty() {
        let waiting = tally.later.iter().map(|(why, count)| format!("{count} wait for {why}"));
        println!("not counted: {}", waiting.collect::<Vec<_>>().join(", "));
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(tally)
}

/// What differs, a line each.
fn play(rig: &mut Rig<'_>, case: &Case) -> Vec<String> {
    told(match &case.recording {
        Recording::Sched(recorded) => sched::play(rig, recorded),
        Recording::State(recorded) => state::play(rig, recorded),
        Recording::Counters(recorded) => counters::play(rig, recorded),
        Recording::Unread(why) => Ok(vec![why.clone()]),
        Recording::Cli(_) => unreachable!("played by programs, not on the rig"),
    })
}

fn told(played: Result<Vec<String>>) -> Vec<String> {
    played.unwrap_or_else(|error| vec![format!("{error:#}")])
}

impl Tally {
    fn count(&mut self, title: &str, differences: &[String], later: Option<&'static str>) {
        match (differences, later) {
            ([], _) => self.passed += 1,
            ([first, ..], Some(why)) => {
                *self.later.entry(why).or_default() += 1;
                println!("{title}: later ({why}): {}", first.lines().next().unwrap_or_default());
            }
            (differences, None) => {
                self.failed += 1;
                println!("{title}: FAILED");
                for difference in differences.iter().take(SHOWN) {
                    println!("  {}", difference.replace('\n', "\n  "));
                }
                if let more @ 1.. = differences.len().saturating_sub(SHOWN) {
                    println!("  … and {more} more");
                }
            }
        }
    }

    /// What nothing waits for any more is no longer for later.
    fn check_scope(&mut self) {
        for why in scope::reasons() {
            if !self.later.contains_key(why) {
                self.failed += 1;
                println!("scope: nothing waits for {why} any more: take it out of the table");
            }
        }
    }
}
