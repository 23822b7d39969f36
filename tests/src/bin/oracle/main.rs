//! `oracle [DIR]…`: plays recordings of kernel IPVS to the loaded program and tells where the two part.
//!
//! Every recording below the directories, by what a case holds: scheduling ([`sched`]), connection states
//! packet by packet ([`state`]), counters ([`counters`]), command lines ([`cli`]). Rules are set by `lvs-ctl`'s own ipvsadm, packets
//! go through the program in the kernel, frame by frame, and time is a clock moved by hand: see
//! [`lvs_tests::rig`]. Without a directory, the project's own recordings.
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
mod state;

use std::{path::PathBuf, process::ExitCode};

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
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(Tally { failed: 0, passed: 1.. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("oracle: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Tally> {
    let given = &arguments.directories;
    let directories = if given.is_empty() { recordings::own() } else { given.clone() };
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
        tally.count(&title, &differences);
        if let Err(left) = rig.reset() {
            tally.count(&format!("{title}, afterwards"), &[format!("{left:#}")]);
            rig = Rig::new(&place)?;
        }
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
    fn count(&mut self, title: &str, differences: &[String]) {
        if differences.is_empty() {
            self.passed += 1;
            return;
        }
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
