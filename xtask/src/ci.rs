//! `cargo xtask ci`.

use anyhow::Result;

use crate::{
    setup::Needs,
    steps::{self, Step, Tally, step},
    test, test_programs, tidy,
    verb::Verb,
    workspace,
};

/// Run all that is checked before a change is accepted
///
/// The project's own rules, formatting, lints of host and packet program, then every test, those on another kernel
/// included. Stops at the first step that fails.
#[derive(clap::Args)]
pub(crate) struct Ci {
    /// Only the checks that need no kernel: rules, formatting, lints
    #[arg(long)]
    lints: bool,
}

/// Before the tests, in this order; a new step is a line.
const LINTS: &[Step] = &[
    step("tidy", |_| tidy::check()),
    step("fmt", fmt),
    step("clippy of the host", clippy_host),
    // By itself: in one run with the host its features would be unified with the host's.
    step("clippy of the program", clippy_bpf),
];

impl Verb for Ci {
    const NEEDS: Needs = Needs::Build;

    fn run(self) -> Result<()> {
        let tests = if self.lints { &[][..] } else { test::STEPS };
        steps::run(LINTS.iter().chain(tests))
    }
}

fn fmt(_: &mut Tally) -> Result<()> {
    workspace::run(workspace::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy_host(_: &mut Tally) -> Result<()> {
    let mut command = workspace::cargo();
    command.args(["clippy", "--workspace", "--all-targets", "--features", test_programs::FEATURES]);
    workspace::run(command.args(["--", "--deny", "warnings"]))
}

fn clippy_bpf(_: &mut Tally) -> Result<()> {
    let commands =
        [workspace::bpf_cargo, workspace::bpf_cargo_decap, workspace::bpf_cargo_bench];
    for command in commands {
        let mut command = command("clippy")?;
        workspace::run(command.args(["--", "--deny", "warnings"]))?;
    }
    Ok(())
}
