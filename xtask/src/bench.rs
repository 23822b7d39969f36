//! `cargo xtask bench`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{privilege::Root, setup::Needs, verb::Verb, workspace};

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
    /// Only this many flows
    #[arg(long, value_name = "N")]
    flows: Option<u32>,
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
            None => self.measure(),
            Some(Part::Control { runs }) => control(runs),
            Some(Part::Compare { before, after }) => {
                quietly(Command::new(program()?).arg("compare").args([before, after]))
            }
        }
    }
}

impl Bench {
    fn measure(self) -> Result<()> {
        quietly(&mut workspace::bpf_cargo_bench("build")?)?;
        let mut bench = Root::find().command(program()?)?;
        bench.arg("run").arg("--programs").arg(workspace::bench_object()?);
        let commit = output(Command::new("git").args(["describe", "--always", "--dirty=-changed"]))?;
        bench.args(["--commit", &commit]);
        let options = [("--json", self.json), ("--quick", self.quick)];
        bench.args(options.into_iter().filter(|(_, given)| *given).map(|(option, _)| option));
        if self.save {
            let date = output(Command::new("date").args(["--utc", "+%F"]))?;
            let folder = Path::new("docs/bench").join(format!("{date}-{commit}"));
            bench.arg("--save").arg(workspace::root().join(folder));
        }
        if let Some(case) = self.case {
            bench.args(["--case", &case]);
        }
        if let Some(flows) = self.flows {
            bench.args(["--flows", &flows.to_string()]);
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
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--package", "lvs-ctl", "--package", "lvs-tests"]);
    build.args(["--bin", "lvs-ctl", "--bin", "lvs-control", "--bin", "lab-peer"]);
    quietly(&mut build)?;
    let mut bench = Root::find().command(workspace::target()?.join("release/lvs-control"))?;
    quietly(bench.args(["--runs", &runs.to_string()]))
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
