//! `cargo xtask demo`.

use anyhow::Result;

use crate::{privilege::Root, setup::Needs, verb::Verb, workspace};

/// Show both clusters of the operator's manual at work
///
/// In network namespaces of this machine, with real HTTP servers and curl: nothing outside them is
/// touched, and nothing stays, also after Ctrl-C. Needs root: an ordinary user goes through sudo,
/// after building.
#[derive(clap::Args)]
pub(crate) struct Demo {}

impl Verb for Demo {
    const NEEDS: Needs = Needs::Traffic;

    fn run(self) -> Result<()> {
        let mut build = workspace::cargo();
        build.args(["build", "--quiet", "--release", "--package", "lvs-ctl"]);
        build.args(["--package", "lvs-tests", "--bins"]);
        workspace::run(&mut build)?;
        let demo = workspace::target()?.join("release/demo");
        workspace::run(&mut Root::find().command(demo)?)
    }
}
