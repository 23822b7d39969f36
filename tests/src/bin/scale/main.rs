//! Measures what a director takes to start, to come back and to keep its connections: time, CPU and memory,
//! from an empty table to ten million connections. `cargo xtask bench scale` builds and runs this.
//!
//! | file | idea |
//! | --- | --- |
//! | `bed` | the director, its real servers and a client that never stops asking |
//! | `fill` | connections, put into the mapped table |
//! | `usage` | CPU and memory of the controller |
//! | `report` | the table |
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

use std::time::Duration;

use anyhow::Result;
use clap::Parser;

mod bed;
mod fill;
mod report;
mod usage;

use bed::Bed;
use fill::Table;
use report::Report;
use usage::Usage;

/// Measures a director at several sizes, in a lab of its own. Needs root.
#[derive(Parser)]
#[command(name = "lvs-scale")]
struct Arguments {
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Connections of the large table
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    connections: u32,
}

/// How often each start is measured.
const STARTS: usize = 5;
/// For so long the CPU is looked at: several of the slowest sweeps.
const WINDOW: Duration = Duration::from_secs(20);
/// Connections of the table of IPv6, which is not filled.
const CONNECTIONS6: u32 = 65_536;

fn main() -> Result<()> {
    let Arguments { json, connections } = Arguments::parse();
    let mut report = Report::default();
    let mut bed = Bed::new()?;
    small(&mut bed, &mut report)?;
    for (connections, share) in [(connections / 10, 2.0), (connections, 10.0)] {
        large(&mut bed, connections, share, &mut report)?;
    }
    if json {
        println!("{:#}", report.json());
    } else {
        print!("{report}");
    }
    Ok(())
}

/// A director of the usual size.
fn small(bed: &mut Bed, report: &mut Report) -> Result<()> {
    let starts = (0..STARTS).map(|_| bed.first_start()).collect::<Result<Vec<_>>>()?;
    report.starts("start, the usual size: to the first answer through it", &starts, Some(300.0));
    let restarts = (0..STARTS).map(|_| bed.restart()).collect::<Result<Vec<_>>>()?;
    report.starts("restart, the usual size: to the first command's answer", &restarts, Some(300.0));
    let usage = Usage::over(bed.pid()?, WINDOW)?;
    report.share("CPU, without connections: the controller", usage.process, Some(0.5));
    memory(report, "the usual size", &usage);
    Ok(())
}

/// A director with a large table, empty and full; its sweeper is to take no more than `share` percent.
fn large(bed: &mut Bed, connections: u32, share: f64, report: &mut Report) -> Result<()> {
    let size = format!("{connections} connections");
    bed.resize(connections, CONNECTIONS6);
    let started = bed.first_start()?;
    report.starts(&format!("start, a table for {size}: to the first answer"), &[started], None);
    let usage = Usage::over(bed.pid()?, WINDOW)?;
    report.share(&format!("CPU, a table for {size}, empty: the controller"), usage.process, None);

    let table = Table::of(bed.pin_dir())?;
    // What the client keeps asking over is one of them.
    let filled = connections - 1;
    let took = table.fill(0..filled)?;
    eprintln!("scale: {connections} connections, {took:.1?}");
    let before = bed.sweeps()?;
    let usage = Usage::over(bed.pid()?, WINDOW)?;
    let sweeps = (bed.sweeps()? - before).max(1);
    let name = format!("CPU, {size}: the sweeper");
    report.share(&name, usage.sweeper, Some(share));
    let sweep = usage.swept.as_secs_f64() * 1e3 / f64::from(sweeps);
    report.number(&format!("{name}, ms a sweep"), sweep, None);
    memory(report, &size, &usage);
    #[expect(clippy::cast_precision_loss, reason = "shown to a decimal")]
    report.number(
        &format!("memory, {size}: the table, bytes a connection"),
        table.bytes() as f64 / f64::from(connections),
        Some(64.0),
    );
    let restarts = (0..STARTS).map(|_| bed.restart()).collect::<Result<Vec<_>>>()?;
    let name = format!("restart, {size} standing: to the first command's answer");
    report.starts(&name, &restarts, Some(1000.0));
    bed.knows(filled)
}

fn memory(report: &mut Report, what: &str, usage: &Usage) {
    report.number(&format!("memory, {what}: the controller, MB"), usage.own_mb, Some(30.0));
    report.number(&format!("memory, {what}: maps in it, MB"), usage.mapped_mb, None);
}
