//! `cargo xtask build`.

use anyhow::Result;

use crate::{check_object, setup::Needs, verb::Verb, workspace};

/// Build the controller with the packet program inside it
///
/// As `cargo build` does, but fails when the packet program could panic.
#[derive(clap::Args)]
pub(crate) struct Build {
    /// Build with optimization, into target/release
    #[arg(long)]
    release: bool,
}

impl Verb for Build {
    const NEEDS: Needs = Needs::Build;

    fn run(self) -> Result<()> {
        check_object::refuse_panics()?;
        controller(self.release)
    }
}

/// Builds `lvs-ctl`.
pub(crate) fn controller(release: bool) -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["build", "--package", "lvs-ctl"]);
    if release {
        command.arg("--release");
    }
    workspace::run(&mut command)
}
