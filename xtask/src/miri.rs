//! `cargo xtask miri`.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{setup::Needs, verb::Verb, workspace};

/// The toolchain that has miri.
const TOOLCHAIN: &str = "nightly";

/// What is run under it: a crate, its features and targets, and the tests of these names. What is left out takes hours:
/// schedulers over thousands of choices, models of the connection table, random frames; the corpus has a story of every method, family and kind of packet.
const RUNS: [(&[&str], &[&str]); 2] = [
    (&["-p", "lvs-common", "--lib"], &["map::", "net::", "pieces::", "wire::"]),
    (
        &["-p", "lvs-ebpf", "--features", "host", "--test", "path"],
        &["corpus::every_story", "dr::later", "dr::only_link", "path_mtu::"],
    ),
];

/// Run the packet's headers, rewriters and corpus under miri, which finds undefined behaviour
///
/// On the nightly toolchain, whose part it is. It takes seconds for a frame, and so many minutes for all of the choice;
/// names of tests run those of the path alone.
#[derive(clap::Args)]
pub(crate) struct Miri {
    /// Tests of the path, by parts of their names
    tests: Vec<String>,
}

impl Verb for Miri {
    const NEEDS: Needs = Needs::Nothing;

    fn run(self) -> Result<()> {
        has_miri()?;
        if let [_, (target, _)] = RUNS
            && !self.tests.is_empty()
        {
            return under_miri(target, &self.tests);
        }
        RUNS.iter().try_for_each(|(target, tests)| under_miri(target, tests))
    }
}

/// A nightly is nobody's default, so it is not installed unasked.
fn has_miri() -> Result<()> {
    let probe = ["run", TOOLCHAIN, "cargo", "miri", "--version"];
    let output = Command::new("rustup").args(probe).output().context("cannot run rustup")?;
    ensure!(
        output.status.success(),
        "there is no miri; to set it up:\n    rustup toolchain install {TOOLCHAIN} --component miri,rust-src"
    );
    Ok(())
}

fn under_miri(target: &[&str], tests: &[impl AsRef<str>]) -> Result<()> {
    let mut command = Command::new("rustup");
    command.current_dir(workspace::root()).args(["run", TOOLCHAIN, "cargo", "miri", "test"]);
    // Tests read their corpus, and what proptest is to remember; of that a few cases are enough.
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "4");
    // The toolchain that this program was started by is another one.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    command.args(target).arg("--target-dir").arg(workspace::target()?.join("miri")).arg("--");
    workspace::run(command.args(tests.iter().map(AsRef::as_ref)))
}
