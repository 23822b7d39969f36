//! `cargo xtask matrix`.

use anyhow::Result;

use crate::{
    setup::Needs,
    steps::{self, Step, step},
    test_programs,
    verb::Verb,
};

/// Prove every forwarding method, family, protocol and kind of packet, and print the table
///
/// A part of `test`. Needs root: an ordinary user goes through sudo, after building.
#[derive(clap::Args)]
pub(crate) struct Matrix {}

/// In this order.
const STEPS: &[Step] = &[
    step("build", |_| test_programs::build()),
    step("matrix", |tally| test_programs::run_named("matrix", tally)),
];

impl Verb for Matrix {
    const NEEDS: Needs = Needs::Traffic;

    fn run(self) -> Result<()> {
        steps::run(STEPS)
    }
}
