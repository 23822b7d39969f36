//! The workspace's test programs: built in one go, run one by one, counted.
//!
//! One build for all, with one set of features: `cargo test -p` for some and then for others
//! would compile what they share twice. So the programs are run from here, as cargo would run them,
//! and those that need root through sudo.

use std::{
    io::{BufRead, BufReader, IsTerminal},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{privilege::Root, steps::Tally, workspace};

/// The features that tests want of the crates that also go into the kernel.
pub(crate) const FEATURES: &str = "lvs-common/host,lvs-ebpf/host";

/// The package whose tests need root, by its directory.
const NEEDS_ROOT: &str = "tests";

/// A test program, built.
#[derive(Debug, PartialEq, Eq)]
struct TestProgram {
    /// The directory of its package.
    package: PathBuf,
    file: PathBuf,
}

/// Builds all test programs, and the programs that they run.
pub(crate) fn build() -> Result<()> {
    workspace::run(workspace::cargo().args(["build", "--workspace", "--features", FEATURES]))?;
    workspace::run(&mut cargo_test(&["--no-run"]))
}

/// Runs all that anybody can run.
pub(crate) fn run_host(tally: &mut Tally) -> Result<()> {
    for program in built()?.iter().filter(|program| !program.needs_root()) {
        run(program, Command::new(&program.file), tally)?;
    }
    Ok(())
}

/// Runs those that load programs and make network namespaces.
pub(crate) fn run_root(tally: &mut Tally) -> Result<()> {
    run_as_root(|_| true, tally)
}

/// Runs one of those, by its name.
pub(crate) fn run_named(name: &str, tally: &mut Tally) -> Result<()> {
    run_as_root(|program| program.name() == name, tally)
}

fn run_as_root(wanted: impl Fn(&TestProgram) -> bool, tally: &mut Tally) -> Result<()> {
    let root = Root::find();
    if root == Root::Sudo {
        println!("test: these need root, and ask sudo:");
    }
    let built = built()?;
    let mut programs = built.iter().filter(|it| it.needs_root() && wanted(it)).peekable();
    ensure!(programs.peek().is_some(), "there is no such test program");
    programs.try_for_each(|program| run(program, root.command(&program.file)?, tally))
}

/// Runs the examples of the documentation.
pub(crate) fn run_doc(tally: &mut Tally) -> Result<()> {
    count(&mut cargo_test(&["--doc"]), tally)
}

/// Commands that run those of root's programs for which `choose` names arguments.
pub(crate) fn commands(choose: impl Fn(&str) -> Option<Vec<&'static str>>) -> Result<Vec<Command>> {
    let programs = built()?;
    let of_root = programs.iter().filter(|program| program.needs_root());
    let chosen = of_root.filter_map(|program| Some((program, choose(program.name())?)));
    Ok(chosen
        .map(|(program, arguments)| {
            let mut command = Command::new(&program.file);
            program.place(&mut command).args(arguments);
            command
        })
        .collect())
}

impl TestProgram {
    fn needs_root(&self) -> bool {
        self.package.file_name().is_some_and(|name| name == NEEDS_ROOT)
    }

    /// As its package calls it: the file's without the hash behind.
    fn name(&self) -> &str {
        let stem = self.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        stem.rsplit_once('-').map_or(stem, |(name, _)| name)
    }

    /// Where it runs, and what it is told: as cargo does.
    fn place<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.current_dir(&self.package).env("CARGO_MANIFEST_DIR", &self.package)
    }
}

fn cargo_test(arguments: &[&str]) -> Command {
    let mut command = workspace::cargo();
    command.args(["test", "--workspace", "--features", FEATURES]).args(arguments);
    command
}

/// Asks cargo, for which there is nothing left to build, where the programs are.
fn built() -> Result<Vec<TestProgram>> {
    let mut command = cargo_test(&["--no-run", "--quiet", "--message-format", "json"]);
    let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "`{}` failed", workspace::show(&command));
    let mut programs: Vec<_> =
        String::from_utf8_lossy(&output.stdout).lines().filter_map(test_program).collect();
    // Cargo's order depends on what it had to build.
    programs.sort_unstable_by(|a, b| a.file.cmp(&b.file));
    ensure!(!programs.is_empty(), "cargo names no test program");
    Ok(programs)
}

fn test_program(message: &str) -> Option<TestProgram> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_test = message["profile"]["test"].as_bool()?;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let file = PathBuf::from(message["executable"].as_str()?);
    is_test.then_some(TestProgram { package: manifest.parent()?.into(), file })
}

fn run(program: &TestProgram, mut command: Command, tally: &mut Tally) -> Result<()> {
    program.place(&mut command);
    if std::io::stdout().is_terminal() {
        command.args(["--color", "always"]);
    }
    count(&mut command, tally)
}

/// Runs the command, passing on what it prints and counting its summaries.
pub(crate) fn count(command: &mut Command, tally: &mut Tally) -> Result<()> {
    println!("$ {}", workspace::show(command));
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start it")?;
    let output = child.stdout.take().context("its output is piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read its output")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.read(&line);
    }
    let status = child.wait()?;
    ensure!(status.success(), "`{}` failed ({status})", workspace::show(command));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_is_found_in_what_cargo_prints() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/w/tests/Cargo.toml",
            "profile":{"test":true},"executable":"/w/target/debug/deps/e2e-1"}"#;
        let program = test_program(message).unwrap();
        assert_eq!(program.file, Path::new("/w/target/debug/deps/e2e-1"));
        assert!(program.needs_root());
        assert_eq!(program.name(), "e2e");
    }

    #[test]
    fn other_products_and_messages_are_not_run() {
        let library = r#"{"reason":"compiler-artifact","manifest_path":"/w/xtask/Cargo.toml",
            "profile":{"test":false},"executable":"/w/target/debug/xtask"}"#;
        for message in [library, r#"{"reason":"build-finished","success":true}"#, "no json"] {
            assert_eq!(test_program(message), None);
        }
    }
}
