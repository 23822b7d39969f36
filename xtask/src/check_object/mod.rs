//! `cargo xtask check-object`: what a kernel would find wrong with the packet program, found here.
//!
//! [`panics`] reads the object, [`verify`] has the kernel verify it, [`budget`] keeps the verified
//! instructions from creeping up.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    privilege::Root,
    setup::{self, Needs},
    steps::Tally,
    verb::Verb,
    vm::Guest,
    workspace,
};

mod budget;
mod panics;
mod verify;

use budget::Budget;
use verify::Accepted;

/// For a guest that only checks the objects.
const LIMIT: Duration = Duration::from_mins(15);

/// Have the kernel verify the packet programs, and hold them to their budget
///
/// Builds the objects, refuses one that can panic, loads every program of them into the running
/// kernel (neither attached nor pinned), prints how many instructions the verifier went through,
/// and fails when they are more than xtask/verified-budget.toml records. Loading needs root: for
/// an ordinary user this step goes through sudo.
#[derive(clap::Args)]
pub(crate) struct CheckObject {
    /// Record what the verifier needs now, with a quarter to spare, as the new budget
    #[arg(long)]
    bless: bool,
    /// Check these objects instead of building them
    #[arg(long = "object", value_name = "FILE")]
    objects: Vec<PathBuf>,
    /// Have Debian's kernel of this version verify them, under QEMU: 6.1
    #[arg(long, value_name = "VERSION", conflicts_with = "bless")]
    kernel: Option<String>,
}

impl Verb for CheckObject {
    const NEEDS: Needs = Needs::Load;

    fn run(self) -> Result<()> {
        let objects =
            if self.objects.is_empty() { workspace::build_objects()? } else { self.objects };
        let bytes = read(&objects)?;
        bytes.iter().try_for_each(|bytes| panics::refuse(bytes))?;
        if let Some(version) = self.kernel {
            setup::ensure(Needs::Guest)?;
            let commands = [vec![by_guest(&objects)?]];
            return Guest::new(&version)?.run(&commands, LIMIT, &mut Tally::default());
        }
        if Root::find() == Root::Own {
            verify(&bytes, self.bless)
        } else {
            as_root(&objects, self.bless)
        }
    }
}

/// Checks the objects as they are built now: a step of `test`.
pub(crate) fn check() -> Result<()> {
    CheckObject { bless: false, objects: Vec::new(), kernel: None }.run()
}

/// The command that checks the objects in a guest.
pub(crate) fn by_guest(objects: &[PathBuf]) -> Result<Command> {
    let mut command = Command::new(workspace::this_program()?);
    command.current_dir(workspace::root()).arg("check-object");
    for object in objects {
        command.arg("--object").arg(object);
    }
    Ok(command)
}

/// Fails when an object could panic: a step of `build`.
pub(crate) fn refuse_panics() -> Result<()> {
    read(&workspace::build_objects()?)?.iter().try_for_each(|bytes| panics::refuse(bytes))
}

fn read(objects: &[PathBuf]) -> Result<Vec<Vec<u8>>> {
    let read = |object: &PathBuf| {
        fs::read(object).with_context(|| format!("cannot read {}", object.display()))
    };
    objects.iter().map(read).collect()
}

fn as_root(objects: &[PathBuf], bless: bool) -> Result<()> {
    println!("check-object: loading the objects needs root, and asks sudo:");
    let mut command = Root::find().command(workspace::this_program()?)?;
    command.arg("check-object");
    for object in objects {
        command.arg("--object").arg(object);
    }
    if bless {
        command.arg("--bless");
    }
    workspace::run(&mut command)
}

fn verify(objects: &[Vec<u8>], bless: bool) -> Result<()> {
    let mut programs = Vec::new();
    for bytes in objects {
        programs.extend(verify::load(bytes)?);
    }
    let file = workspace::root().join("xtask/verified-budget.toml");
    if bless {
        let budget = Budget::bless(&programs);
        fs::write(&file, budget.to_string())?;
        println!("check-object: recorded in {}", file.display());
    }
    let budget: Budget = fs::read_to_string(&file)?.parse()?;
    print!("{}", table(&programs, &budget));
    let complaints: Vec<_> = programs.iter().filter_map(|program| budget.complaint(program)).collect();
    if complaints.is_empty() { Ok(()) } else { bail!("{}", complaints.join("\n")) }
}

fn table(programs: &[Accepted], budget: &Budget) -> String {
    let head = ["program", "verified", "budget", "instructions", "JITed bytes"].map(String::from);
    let row = |program: &Accepted| {
        let numbers = [program.verified, program.instructions, program.jited_bytes];
        let [verified, instructions, jited_bytes] = numbers.map(|number| number.to_string());
        let budget = budget.of(&program.name).map_or("none".into(), |limit| limit.to_string());
        [program.name.clone(), verified, budget, instructions, jited_bytes]
    };
    let line = |[name, numbers @ ..]: [String; 5]| {
        let numbers = numbers.map(|number| format!("{number:>14}"));
        format!("{name:<16}{}\n", numbers.concat())
    };
    [head].into_iter().chain(programs.iter().map(row)).map(line).collect::<Vec<_>>().concat()
}
