//! `oracle [DIR]…`: plays recordings of kernel IPVS to the loaded program and tells where the two part.
//!
//! Every recording below the directories, by what a case holds: scheduling ([`sched`]), connection states
//! packet by packet ([`state`]), counters ([`counters`]). Rules are set by `lvs-ctl`'s own ipvsadm, packets
//! go through the program in the kernel, frame by frame, and time is a clock moved by hand: see
//! [`lvs_tests::rig`]. Without a directory, the project's own recordings, of which those that
//! [`scope`] names are told apart.
//!
//! Closes with a line `N passed, N failed`. Needs root.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "what it finds is what it is for")]

mod compare;
mod conns;
mod counters;
mod recordings;
mod sched;
mod scope;
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
    later: usize,
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
    let mut tally = Tally::default();
    for case in recordings::below(&directories)? {
        let title = case.title();
        if arguments.only.as_ref().is_some_and(|only| !title.contains(only.as_str())) {
            continue;
        }
        let differences = play(&mut rig, &case);
        let later = if own { scope::later(&case) } else { None };
        tally.count(&title, &differences, later);
        if let Err(left) = rig.reset() {
            tally.count(&format!("{title}, afterwards"), &[format!("{left:#}")], later);
            rig = Rig::new(&place)?;
        }
    }
    if tally.later > 0 {
        println!("{} are for later, not counted", tally.later);
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(tally)
}

/// What differs, a line each.
fn play(rig: &mut Rig<'_>, case: &Case) -> Vec<String> {
    let played = match &case.recording {
        Recording::Sched(recorded) => sched::play(rig, recorded),
        Recording::State(recorded) => state::play(rig, recorded),
        Recording::Counters(recorded) => counters::play(rig, recorded),
        Recording::Unread(why) => Ok(vec![why.clone()]),
    };
    played.unwrap_or_else(|error| vec![format!("{error:#}")])
}

impl Tally {
    fn count(&mut self, title: &str, differences: &[String], later: Option<&str>) {
        match (differences, later) {
            ([], None) => self.passed += 1,
            ([], Some(_)) => {
                self.failed += 1;
                println!("{title}: passes already, take it out of the table of what is for later");
            }
            ([first, ..], Some(why)) => {
                self.later += 1;
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
}
