//! `cargo xtask fuzz`.

use std::fs;

use anyhow::Result;

use crate::{setup::Needs, verb::Verb, workspace};

/// Feed random input to whatever reads input: command lines, saved rules, configuration, API, packets
///
/// Fails when something panics, when an input that is refused changes the rules, or when the data plane has others
/// than the API shows, or when frames become what they must not; the input is then kept in `target/fuzz`. With debug
/// assertions, and without root.
#[derive(clap::Args)]
pub(crate) struct Fuzz {
    /// What is fed (ipvsadm, restore, lvs-ctl, config, api, packet); all of it if nothing is named
    targets: Vec<String>,
    /// How long each is fed
    #[arg(long, value_name = "N", default_value = "10")]
    minutes: String,
    /// Where the random numbers begin
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// Feed this file alone, once
    #[arg(long, value_name = "FILE")]
    input: Option<String>,
}

impl Verb for Fuzz {
    const NEEDS: Needs = Needs::Build;

    fn run(self) -> Result<()> {
        let Self { targets, minutes, seed, input } = self;
        let failures = workspace::target()?.join("fuzz");
        fs::create_dir_all(&failures)?;
        let mut command = workspace::cargo();
        command.args(["run", "--quiet", "--package", "lvs-tests", "--bin", "lvs-fuzz", "--"]);
        command.args(targets).args(["--minutes", &minutes]).arg("--failures").arg(failures);
        for (option, value) in [("--seed", seed), ("--input", input)] {
            command.args(value.into_iter().flat_map(|value| [option.to_owned(), value]));
        }
        workspace::run(&mut command)
    }
}
