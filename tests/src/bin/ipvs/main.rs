//! The director beside what the kernel has: what a packet costs, in one run and one topology. `cargo xtask bench ipvs`
//! types the same commands to the director and to the kernel's IPVS, in a guest whose clock counts its instructions;
//! `cargo xtask bench wire` puts it beside connection tracking on the machine that it runs on.
//!
//! | file | idea |
//! | --- | --- |
//! | `bed` | three hosts in a row, and what ends packets at the last one |
//! | `frame` | what is sent, and what has to arrive |
//! | `programs` | the source of frames, and the programs at its other end |
//! | `cases` | the lines of the table, and measuring them |
//! | `report` | the table |
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;

mod bed;
mod cases;
mod frame;
mod programs;
mod report;

use cases::{Bench, By, Rival};

/// Measures the director beside what the kernel has, in a lab of its own. Needs root.
#[derive(Parser)]
#[command(name = "lvs-ipvs")]
struct Arguments {
    /// The object with the source and the sinks
    #[arg(long, value_name = "FILE")]
    programs: PathBuf,
    /// Beside whom
    #[arg(long)]
    beside: Rival,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Packets a round, a power of two; seven rounds count
    #[arg(long, default_value_t = 2048)]
    round: u32,
    /// Only what this one forwards
    #[arg(long)]
    by: Option<By>,
}

fn main() -> Result<()> {
    let Arguments { programs, beside, json, round, by } = Arguments::parse();
    let object =
        fs::read(&programs).with_context(|| format!("cannot read {}", programs.display()))?;
    let report = Bench::new(&object, round)?.run(beside, by)?;
    if json {
        println!("{:#}", report.json());
    } else {
        print!("{report}");
    }
    Ok(())
}
