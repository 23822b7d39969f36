//! The tests on another kernel than the running one, in a guest ([`crate::vm`]).
//!
//! Everything that asks the kernel something would take hours there: each test that loads the packet program
//! waits for an emulated processor to verify it, and tests that count on how fast a machine is fail. So a choice is
//! run, unless all is asked for: the verifier; every cell of the matrix by frames, which one load of the program
//! serves; packets through the program; and traffic through devices that not every kernel has, which are the kernel's
//! own there.

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

/// The oldest kernel that is supported, as a step of all tests.
const OLDEST: &str = "6.1";

/// Of root's test programs, by name, their arguments: the tests that are run.
type Choice = &'static [(&'static str, &'static [&'static str])];

/// What is run beside the verifier's check of the objects, after it.
const FRAMES: Choice = &[
    ("matrix", &["--frames"]),
    (
        "program_run",
        &[
            "a_template_lasts_while_its_connection_does",
            "a_service_takes_the_packets_that_rules_give_its_mark",
        ],
    ),
];

/// What is run at the same time.
const TRAFFIC: Choice = &[(
    "e2e",
    &[
        GUESTS,
        "devices::the_kernels_devices_take_packets_out_of_tunnels_of_every_type_in_native_mode",
        "devices::sctp",
        "vlans::",
    ],
)];

/// The flag that also asks for the tests that only run here (`#[ignore = "in the guest: …"]`).
const GUESTS: &str = "--include-ignored";

/// For the choice, and for all.
const LIMIT: Duration = Duration::from_mins(15);
const LIMIT_OF_ALL: Duration = Duration::from_hours(4);

/// The choice, once everything is built: a step of all tests.
pub(crate) fn step(tally: &mut Tally) -> Result<()> {
    setup::ensure(Needs::Guest)?;
    run(OLDEST, false, tally)
}

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
    let mut first = vec![check_object::by_guest(&workspace::build_objects()?)?];
    if all {
        first.extend(every()?);
        let mut recordings = Command::new(oracle::program()?);
        recordings.current_dir(workspace::root());
        first.push(recordings);
        return guest.run(&[first], LIMIT_OF_ALL, tally);
    }
    first.extend(chosen(FRAMES)?);
    guest.run(&[first, chosen(TRAFFIC)?], LIMIT, tally)
}

fn every() -> Result<Vec<Command>> {
    // The matrix is no program of tests, and knows no such flag.
    test_programs::commands(|name| Some(if name == "matrix" { vec![] } else { vec![GUESTS] }))
}

fn chosen(choice: Choice) -> Result<Vec<Command>> {
    test_programs::commands(|name| {
        let (_, arguments) = choice.iter().find(|(program, _)| *program == name)?;
        Some(arguments.to_vec())
    })
}
