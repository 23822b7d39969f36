//! `cargo xtask bench`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{privilege::Root, setup::Needs, verb::Verb, workspace};

mod ipvs;
mod wire;

/// Measure the packet program: nanoseconds a packet, beside those of a minimal one
///
/// Feeds packets to the program inside the kernel and takes off what the feeding costs. Fails
/// when a packet does not go where it should. Takes two minutes; compare within one table only. Needs
/// root: an ordinary user goes through sudo, after building. See docs/performance.md.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    measure: Measure,
}

/// How packets are measured.
#[derive(clap::Args)]
struct Measure {
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Fewer rounds, no million of flows: to see whether it works
    #[arg(long)]
    quick: bool,
    /// Keep table, picture and numbers in docs/bench/DATE-COMMIT
    #[arg(long)]
    save: bool,
    /// Only cases with this in their name, beside the yardstick
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
    /// Only this many flows, or real servers
    #[arg(long, value_name = "N", visible_alias = "flows")]
    size: Option<u32>,
}

/// What else is measured.
#[derive(clap::Subcommand)]
enum Part {
    /// Measure the control plane: commands, restoring and saving, while packets flow
    Control {
        /// How often each command is run
        #[arg(long, default_value_t = 100)]
        runs: usize,
    },
    /// Measure what a director takes to start and to keep ten million connections: time, CPU, memory
    ///
    /// Takes five minutes and 1 GB of memory; needs root. Fails when a restart loses a packet.
    Scale {
        /// Print JSON instead of the table
        #[arg(long)]
        json: bool,
        /// Connections of the large table
        #[arg(long, value_name = "N", default_value_t = 10_000_000)]
        connections: u32,
    },
    /// Measure new connections under every scheduler, for several numbers of real servers
    Schedulers(Measure),
    /// Measure the kernel's IPVS and the director side by side, on Debian's kernel under QEMU
    ///
    /// Guest instructions a packet, and packets a second of a guest that does one a nanosecond: plain forwarding, and DR,
    /// NAT and TUN by either, of one flow, of many, and of new ones only; to a real server that makes packets of the
    /// kernel's of what arrives, and to one that does not. Takes five minutes. See docs/performance.md.
    Ipvs(ipvs::Ipvs),
    /// Measure packets a second between links, beside plain forwarding and nftables' DNAT
    ///
    /// XDP frames go through three namespaces in a row, on one processor: a minute on a quiet machine.
    Wire(wire::Wire),
    /// Show what has become of the costs from one run to another
    Compare {
        /// The folder of results to compare to: docs/bench/…
        before: PathBuf,
        /// The folder of the others
        after: PathBuf,
    },
}

impl Verb for Bench {
    const NEEDS: Needs = Needs::Traffic;

    fn run(self) -> Result<()> {
        match self.part {
            None => self.measure.run("run", ""),
            Some(Part::Schedulers(measure)) => measure.run("schedulers", "-schedulers"),
            Some(Part::Control { runs }) => control(runs),
            Some(Part::Scale { json, connections }) => scale(json, connections),
            Some(Part::Ipvs(ipvs)) => ipvs.run(),
            Some(Part::Wire(wire)) => wire.run(),
            Some(Part::Compare { before, after }) => {
                quietly(Command::new(program()?).arg("compare").args([before, after]))
            }
        }
    }
}

impl Measure {
    /// Measures this table, to be kept in a folder whose name ends so.
    fn run(self, table: &str, suffix: &str) -> Result<()> {
        quietly(&mut workspace::bpf_cargo_bench("build")?)?;
        let mut bench = Root::find().command(program()?)?;
        bench.arg(table).arg("--programs").arg(workspace::bench_object()?);
        let commit = output(Command::new("git").args(["describe", "--always", "--dirty=-changed"]))?;
        bench.args(["--commit", &commit]);
        let options = [("--json", self.json), ("--quick", self.quick)];
        bench.args(options.into_iter().filter(|(_, given)| *given).map(|(option, _)| option));
        if self.save {
            let date = output(Command::new("date").args(["--utc", "+%F"]))?;
            let folder = format!("docs/bench/{date}-{commit}{suffix}");
            bench.arg("--save").arg(workspace::root().join(folder));
        }
        if let Some(case) = self.case {
            bench.args(["--case", &case]);
        }
        if let Some(size) = self.size {
            bench.args(["--size", &size.to_string()]);
        }
        quietly(&mut bench)
    }
}

/// The program that measures, built. Not in release: what is measured runs in the kernel.
fn program() -> Result<PathBuf> {
    let mut build = workspace::cargo();
    quietly(build.args(["build", "--package", "lvs-tests", "--bin", "lvs-bench"]))?;
    Ok(workspace::target()?.join("debug/lvs-bench"))
}

fn control(runs: usize) -> Result<()> {
    quietly(released("lvs-control")?.args(["--runs", &runs.to_string()]))
}

fn scale(json: bool, connections: u32) -> Result<()> {
    let mut bench = released("lvs-scale")?;
    bench.args(json.then_some("--json"));
    quietly(bench.args(["--connections", &connections.to_string()]))
}

/// A bench of the controller as it is released, beside which it finds what it runs.
fn released(bench: &str) -> Result<Command> {
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--package", "lvs-ctl", "--package", "lvs-tests"]);
    build.args(["--bin", "lvs-ctl", "--bin", bench, "--bin", "lab-peer"]);
    quietly(&mut build)?;
    Root::find().command(workspace::target()?.join("release").join(bench))
}

/// Runs the command; what it prints is all that is printed.
fn quietly(command: &mut Command) -> Result<()> {
    let shown = workspace::show(command);
    eprintln!("$ {shown}");
    let status = command.status().with_context(|| format!("cannot run {shown}"))?;
    ensure!(status.success(), "`{shown}` failed ({status})");
    Ok(())
}

/// What the command prints, in one line.
fn output(command: &mut Command) -> Result<String> {
    let shown = workspace::show(command);
    let output = command.output().with_context(|| format!("cannot run {shown}"))?;
    ensure!(output.status.success(), "`{shown}` failed ({})", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
