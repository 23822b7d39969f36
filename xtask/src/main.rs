//! Builds, checks, loads and tests the project: `cargo xtask --help`.
//!
//! A verb is a file: a type with its arguments that implements [`verb::Verb`], named in the table
//! below. Every verb first has [`setup`] see to what it needs.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a task runner speaks to the developer")]

use std::process::ExitCode;

use clap::Parser;

mod bpf_cargo;
mod other_kernel;
mod privilege;
mod steps;
mod test_programs;
mod verb;
mod vm;
mod workspace;

verb::verbs! {
    setup::Setup,
    build::Build,
    check_object::CheckObject,
    load::Load,
    build_and_load::BuildAndLoad,
    demo::Demo,
    test::Test,
    matrix::Matrix,
    bench::Bench,
    oracle::Oracle,
    package::Package,
    kernel_test::KernelTest,
    fuzz::Fuzz,
    miri::Miri,
    guest::Guest,
    tidy::Tidy,
    ci::Ci,
}

/// The project's task runner.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Xtask {
    #[command(subcommand)]
    verb: Verbs,
}

fn main() -> ExitCode {
    match Xtask::parse().verb.perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
