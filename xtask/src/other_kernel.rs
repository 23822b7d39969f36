//! The tests on another kernel than the running one, in a guest ([`crate::vm`]).
//!
//! Everything that asks the kernel something would take hours there: each test that loads the packet program
//! waits for an emulated processor to verify it. So a choice is run, unless all is asked for: the verifier; the
//! program against the plain director and from several threads; recordings; and traffic through devices that not
//! every kernel has, which are the kernel's own there.

use std::{process::Command, time::Duration};

use anyhow::Result;

use crate::{
    check_object, oracle,
    setup::{self, Needs},
    steps::Tally,
    test_programs,
    vm::Guest,
    workspace,
};

/// Of root's test programs, by name: the tests that are run.
const CHOICE: &[(&str, &[&str])] = &[
    (
        "program_run",
        &[
            "the_program_does_what_a_plain_director_does",
            "threads_that_open_the_same_connections_agree_on_their_real_servers",
        ],
    ),
    ("e2e", &[GUESTS, "devices::", "vlans::"]),
];

/// The flag that also asks for the tests that only run here (`#[ignore = "in the guest: …"]`).
const GUESTS: &str = "--include-ignored";

/// The recordings that are played.
const RECORDINGS: &str = "tests/testdata/oracle/state";

/// For the choice, and for all.
const LIMIT: Duration = Duration::from_mins(15);
const LIMIT_OF_ALL: Duration = Duration::from_hours(4);

/// Builds what is needed and runs it there.
pub(crate) fn test(version: &str, all: bool) -> Result<()> {
    setup::ensure(Needs::Guest)?;
    test_programs::build()?;
    let mut tally = Tally::default();
    let outcome = run(version, all, &mut tally);
    println!("{tally}");
    outcome
}

fn run(version: &str, all: bool, tally: &mut Tally) -> Result<()> {
    let guest = Guest::new(version)?;
    let mut commands = vec![check_object::by_guest(&workspace::build_objects()?)?];
    commands.extend(if all { every()? } else { chosen()? });
    let mut recordings = Command::new(oracle::program()?);
    recordings.current_dir(workspace::root());
    if !all {
        recordings.arg(workspace::root().join(RECORDINGS));
    }
    commands.push(recordings);
    guest.run(&commands, if all { LIMIT_OF_ALL } else { LIMIT }, tally)
}

fn every() -> Result<Vec<Command>> {
    // The matrix is no program of tests, and knows no flags.
    test_programs::commands(|name| Some(if name == "matrix" { vec![] } else { vec![GUESTS] }))
}

fn chosen() -> Result<Vec<Command>> {
    test_programs::commands(|name| {
        let (_, tests) = CHOICE.iter().find(|(program, _)| *program == name)?;
        Some(tests.to_vec())
    })
}
