//! Where the workspace and its build products lie, and how its commands are run.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::bpf_cargo;

/// The object of the bench's programs.
const BENCH: &str = "lvs-bench";

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// The directory that cargo builds into: the one this program was built into.
pub(crate) fn target() -> Result<PathBuf> {
    let program = this_program()?;
    // <target>/<profile>/xtask
    Ok(program.ancestors().nth(2).context("this program lies outside a target directory")?.into())
}

/// The file of this program. Not `current_exe` itself: once cargo has built the program again, that
/// is "xtask (deleted)".
pub(crate) fn this_program() -> Result<PathBuf> {
    Ok(env::current_exe().context("where is this program?")?.with_file_name("xtask"))
}

/// The cargo that started this program, in the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(cargo_path());
    command.current_dir(root());
    command
}

/// `cargo verb` for the packet program, built as `lvs-ctl/build.rs` builds it.
pub(crate) fn bpf_cargo(verb: &str) -> Result<Command> {
    bpf_cargo_of(verb, bpf_cargo::PRODUCT)
}

/// `cargo verb` for the program of real servers.
pub(crate) fn bpf_cargo_decap(verb: &str) -> Result<Command> {
    bpf_cargo_of(verb, bpf_cargo::DECAP)
}

/// `cargo verb` for the programs of the bench.
pub(crate) fn bpf_cargo_bench(verb: &str) -> Result<Command> {
    let mut command = bpf_cargo_of(verb, BENCH)?;
    command.args(["--features", "bench"]);
    Ok(command)
}

/// Builds the product's programs and says where their objects lie.
pub(crate) fn build_objects() -> Result<Vec<PathBuf>> {
    run(&mut bpf_cargo("build")?)?;
    run(&mut bpf_cargo_decap("build")?)?;
    [bpf_cargo::PRODUCT, bpf_cargo::DECAP].into_iter().map(bpf_object).collect()
}

/// Where the object of the bench's programs lies, once it is built.
pub(crate) fn bench_object() -> Result<PathBuf> {
    bpf_object(BENCH)
}

/// Shows the command, runs it, and fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", show(command));
    let status = command.status().with_context(|| format!("cannot run {}", show(command)))?;
    ensure!(status.success(), "`{}` failed ({status})", show(command));
    Ok(())
}

/// The command line as one would type it: the program by its name, quotes where a shell needs them.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = [program].into_iter().chain(command.get_args()).map(|word| {
        let word = word.to_string_lossy();
        let plain = !word.is_empty() && !word.contains([' ', '"', '\'', '$', '*', ';', '&', '|']);
        if plain { word.into_owned() } else { format!("'{word}'") }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn bpf_cargo_of(verb: &str, name: &str) -> Result<Command> {
    let target = target()?.join("bpf");
    Ok(bpf_cargo::command(&cargo_path(), verb, root(), &target, env::consts::ARCH, name))
}

fn bpf_object(name: &str) -> Result<PathBuf> {
    Ok(bpf_cargo::object(&target()?.join("bpf"), name))
}

fn cargo_path() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["build", "a b", ""]);
        assert_eq!(show(&command), "cargo build 'a b' ''");
    }
}
