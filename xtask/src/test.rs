//! `cargo xtask test`.

use anyhow::Result;

use crate::{
    check_object, oracle, other_kernel,
    setup::{self, Needs},
    steps::{self, Step, step},
    test_programs,
    verb::Verb,
};

/// Run every test: unit tests, examples, the kernel's verifier, real packets
///
/// Stops at the first step that fails. Tests of the whole need root: for an ordinary user they go
/// through sudo. The last step runs what depends on the kernel on Debian's 6.1, under QEMU.
#[derive(clap::Args)]
pub(crate) struct Test {
    /// Only what depends on the kernel, on Debian's kernel of this version, under QEMU: 6.1
    #[arg(long, value_name = "VERSION")]
    kernel: Option<String>,
    /// On that kernel, all tests that need root, not the choice that is done in minutes
    #[arg(long, requires = "kernel")]
    all: bool,
}

/// In this order; a new step is a line.
pub(crate) const STEPS: &[Step] = &[
    step("setup", |_| setup::ensure(Needs::Traffic)),
    step("build", |_| test_programs::build()),
    step("unit tests", test_programs::run_host),
    step("examples in the docs", test_programs::run_doc),
    step("check-object", |_| check_object::check()),
    step("tests of the whole", test_programs::run_root),
    step("recordings", oracle::step),
    step("kernel 6.1", other_kernel::step),
];

impl Verb for Test {
    const NEEDS: Needs = Needs::Nothing;

    fn run(self) -> Result<()> {
        match self.kernel {
            None => steps::run(STEPS),
            Some(version) => other_kernel::test(&version, self.all),
        }
    }
}
