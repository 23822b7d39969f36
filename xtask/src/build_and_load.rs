//! `cargo xtask build-and-load`.

use anyhow::Result;

use crate::{build, load::Run, setup::Needs, verb::Verb};

/// Build the controller in release and run it on these interfaces
///
/// It loads the packet program, attaches it and serves until it is stopped. Needs root: an
/// ordinary user goes through sudo, after building.
#[derive(clap::Args)]
#[command(after_help = "Example: cargo xtask build-and-load --interface eth0 -- --mode native")]
pub(crate) struct BuildAndLoad {
    #[command(flatten)]
    run: Run,
}

impl Verb for BuildAndLoad {
    const NEEDS: Needs = Needs::Load;

    fn run(self) -> Result<()> {
        build::controller(true)?;
        self.run.exec()
    }
}
