//! `cargo xtask oracle`.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, ensure};

use crate::{privilege::Root, setup::Needs, steps::Tally, test_programs, verb::Verb, workspace};

/// Play recordings of kernel IPVS to the loaded program and compare
///
/// Every recording below the directories: which real server each connection reached, the counts and
/// states after every event, packets to the byte, counters. Closes with `N passed, N failed`. Needs root: an
/// ordinary user goes through sudo, after building.
#[derive(clap::Args)]
#[command(after_help = "Example: cargo xtask oracle tests/testdata/oracle/state --only masq")]
pub(crate) struct Oracle {
    /// Directories of recordings; the project's own if none is given
    #[arg(value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Only cases whose `group/name` contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

impl Verb for Oracle {
    const NEEDS: Needs = Needs::Traffic;

    fn run(self) -> Result<()> {
        let mut build = workspace::cargo();
        let programs = ["--package", "lvs-tests", "--package", "lvs-ctl", "--bins"];
        workspace::run(build.arg("build").args(programs))?;
        let mut command = command()?;
        command.args(self.directories);
        if let Some(only) = self.only {
            command.args(["--only", &only]);
        }
        println!("$ {}", workspace::show(&command));
        ensure!(command.status()?.success(), "recordings and program differ");
        Ok(())
    }
}

/// The project's own recordings, as a step of `cargo xtask test`, which has built everything.
pub(crate) fn step(tally: &mut Tally) -> Result<()> {
    test_programs::count(&mut command()?, tally)
}

fn command() -> Result<Command> {
    Root::find().command(program()?)
}

/// The program that plays them, once it is built.
pub(crate) fn program() -> Result<PathBuf> {
    Ok(workspace::target()?.join("debug/oracle"))
}
