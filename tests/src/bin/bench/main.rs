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
//! | `cases`, `setting`, `ways` | the cases of the table, and how they are made |
//! | `schedulers` | the cases of another table |
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
mod schedulers;
mod setting;
mod subject;
mod ways;
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
    /// Measure every kind of packet, at several numbers of flows
    Run(Run),
    /// Measure new connections under every scheduler, at several numbers of real servers
    Schedulers(Run),
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
    /// Only this many flows, or real servers
    #[arg(long, value_name = "N")]
    size: Option<u32>,
}

/// A table: what its columns count, and what makes the cases of one.
struct Table {
    sizes_are: &'static str,
    /// The columns of a full run, and of a quick one.
    sizes: [&'static [u32]; 2],
    cases: fn(&World, &[u8], u32, u32, &str) -> Result<Cases>,
}

const PACKETS: Table = Table {
    sizes_are: "flows",
    sizes: [&[1_000, 100_000, 1_000_000], &[1_000, 100_000]],
    cases: cases::all,
};
const SCHEDULERS: Table = Table {
    sizes_are: "real servers",
    sizes: [&[1, 16, 256, 1024], &[16, 256]],
    cases: schedulers::all,
};

/// How much is measured.
struct Effort {
    /// How often everything is loaded anew: the place of the machine code is worth some nanoseconds.
    loads: usize,
    /// Rounds a load.
    rounds: usize,
    /// Packets a round.
    packets: u32,
}

const FULL: Effort = Effort { loads: 3, rounds: 7, packets: 100_000 };
const QUICK: Effort = Effort { loads: 1, rounds: 5, packets: 50_000 };

fn main() -> Result<()> {
    match Bench::parse() {
        Bench::Run(run) => measured(&run, &PACKETS),
        Bench::Schedulers(run) => measured(&run, &SCHEDULERS),
        Bench::Compare { before, after } => {
            print!("{}", Comparison::read(&before, &after)?);
            Ok(())
        }
    }
}

fn measured(run: &Run, table: &Table) -> Result<()> {
    let object = fs::read(&run.programs)
        .with_context(|| format!("cannot read {}", run.programs.display()))?;
    let world = World::enter()?;
    let Table { sizes_are, sizes: [full, quick], cases } = *table;
    let (effort, sizes) = if run.quick { (QUICK, quick) } else { (FULL, full) };
    let sizes = if run.size.is_some() { run.size.as_slice() } else { sizes };
    let mut report = Report::default();
    for load in 1..=effort.loads {
        for &size in sizes {
            eprintln!("bench: load {load} of {}, {size} {sizes_are}", effort.loads);
            let mut cases = cases(&world, &object, size, effort.packets, &run.case)?;
            measure(&mut cases, &effort)?;
            report.add(size, &cases)?;
        }
    }
    let results = report.results(&run.commit, sizes_are);
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
