//! `cargo xtask load`.

use std::{ffi::OsString, os::unix::process::CommandExt, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{privilege::Root, setup::Needs, verb::Verb, workspace};

/// Run the controller, already built, on these interfaces
///
/// It loads the packet program, attaches it and serves until it is stopped. Needs root: an
/// ordinary user goes through sudo.
#[derive(clap::Args)]
#[command(after_help = "Example: cargo xtask load --interface eth0 eth1 -- --mode native")]
pub(crate) struct Load {
    #[command(flatten)]
    run: Run,
}

/// What both `load` and `build-and-load` take.
#[derive(clap::Args)]
pub(crate) struct Run {
    /// The interfaces that packets arrive on
    #[arg(long, value_name = "IF", required = true, num_args = 1..)]
    interface: Vec<String>,
    /// Further arguments for `lvs-ctl run`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

impl Verb for Load {
    const NEEDS: Needs = Needs::Load;

    fn run(self) -> Result<()> {
        self.run.exec()
    }
}

impl Run {
    /// Becomes the controller, so that signals reach it; returns only when that fails.
    pub(crate) fn exec(self) -> Result<()> {
        let program = workspace::target()?.join("release/lvs-ctl");
        ensure!(
            program.is_file(),
            "{} is not built; `cargo xtask build-and-load` builds it",
            program.display()
        );
        let mut command = self.after(Root::find().command(program)?);
        println!("$ {}", workspace::show(&command));
        Err(command.exec()).with_context(|| format!("cannot run {}", workspace::show(&command)))
    }

    fn after(self, mut command: Command) -> Command {
        command.arg("run");
        for interface in self.interface {
            command.args(["--interface", &interface]);
        }
        command.args(self.arguments);
        command
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    #[test]
    fn interfaces_and_further_arguments_reach_the_controller() {
        let typed = ["load", "--interface", "eth0", "eth1", "--", "--mode", "native"];
        assert_eq!(
            run(&typed).unwrap(),
            "lvs-ctl run --interface eth0 --interface eth1 --mode native"
        );
    }

    #[test]
    fn an_interface_must_be_named() {
        run(&["load"]).unwrap_err();
    }

    fn run(typed: &[&str]) -> Result<String, clap::Error> {
        let matches = Run::augment_args(clap::Command::new("load")).try_get_matches_from(typed)?;
        let run = Run::from_arg_matches(&matches)?;
        Ok(workspace::show(&run.after(Command::new("lvs-ctl"))))
    }
}
