//! Measures the packet program: nanoseconds of CPU a packet, above an empty program, beside those of
//! a minimal one. `cargo xtask bench` builds and runs this.
//!
//! | file | idea |
//! | --- | --- |
//! | `world` | a network and a BPF file system of this process's own |
//! | `frame` | packets, as they go in and as they must come out |
//! | `feeder` | packets fed to a program, and the time that takes |
//! | `director` | the product: its program over rules and connections |
//! | `yardstick` | the minimal program over a table of flows |
//! | `subject` | what is measured: a program, its packets, its state |
//! | `cases` | the cases of the table |
//! | `report` | what was measured, put together |
//! | `results` | the table, and the same for programs to read |
//! | `folder`, `plot` | results kept in a folder, with a picture |
//! | `compare` | two results side by side |
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;

mod cases;
mod compare;
mod director;
mod feeder;
mod folder;
mod frame;
mod plot;
mod report;
mod results;
mod subject;
mod world;
mod yardstick;

use cases::Cases;
use compare::Comparison;
use report::Report;
use world::World;

/// Measures the packet program, in a network of its own. Needs root.
#[derive(Parser)]
#[command(name = "lvs-bench")]
enum Bench {
    /// Measure
    Run(Run),
    /// Show two folders of results side by side
    Compare {
        /// The results to compare to
        before: PathBuf,
        /// The others
        after: PathBuf,
    },
}

/// What is measured, and where the results go.
#[derive(clap::Args)]
struct Run {
    /// The object with the feeder and the yardstick
    #[arg(long, value_name = "FILE")]
    programs: PathBuf,
    /// The commit that was built
    #[arg(long, value_name = "NAME", default_value = "")]
    commit: String,
    /// Keep the results in this folder too
    #[arg(long, value_name = "DIRECTORY")]
    save: Option<PathBuf>,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Fewer rounds, no million of flows: to see whether it works
    #[arg(long)]
    quick: bool,
    /// Only cases with this in their name, beside the yardstick
    #[arg(long, value_name = "TEXT", default_value = "")]
    case: String,
    /// Only this many flows
    #[arg(long, value_name = "N")]
    flows: Option<u32>,
}

/// How much is measured.
struct Effort {
    flows: &'static [u32],
    /// How often everything is loaded anew: the place of the machine code is worth some nanoseconds.
    loads: usize,
    /// Rounds a load.
    rounds: usize,
    /// Packets a round.
    packets: u32,
}

const FULL: Effort =
    Effort { flows: &[1_000, 100_000, 1_000_000], loads: 3, rounds: 7, packets: 100_000 };
const QUICK: Effort = Effort { flows: &[1_000, 100_000], loads: 1, rounds: 5, packets: 50_000 };

fn main() -> Result<()> {
    match Bench::parse() {
        Bench::Run(run) => measured(&run),
        Bench::Compare { before, after } => {
            print!("{}", Comparison::read(&before, &after)?);
            Ok(())
        }
    }
}

fn measured(run: &Run) -> Result<()> {
    let object = fs::read(&run.programs)
        .with_context(|| format!("cannot read {}", run.programs.display()))?;
    let world = World::enter()?;
    let effort = if run.quick { QUICK } else { FULL };
    let mut report = Report::default();
    for load in 1..=effort.loads {
        let only = run.flows.as_slice();
        for &flows in if only.is_empty() { effort.flows } else { only } {
            eprintln!("bench: load {load} of {}, {flows} flows", effort.loads);
            let mut cases = cases::all(&world, &object, flows, effort.packets, &run.case)?;
            measure(&mut cases, &effort)?;
            report.add(flows, &cases)?;
        }
    }
    let results = report.results(&run.commit);
    if run.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{results}");
    }
    run.save.as_deref().map_or(Ok(()), |folder| folder::write(folder, &results))
}

/// Measures every case.
fn measure(cases: &mut Cases, effort: &Effort) -> Result<()> {
    // The first round fills caches and does not count.
    for round in 0..=effort.rounds {
        let count = cases.subjects.len();
        for place in 0..count {
            // Another order each round.
            let place = if round % 2 == 0 { place } else { count - 1 - place };
            cases.subjects[place].round(round > 0)?;
        }
    }
    cases.check()
}
