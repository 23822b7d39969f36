//! The director's controller and its command lines.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lvs_ctl::daemon::{self, Places, RunArgs};

#[derive(Parser)]
#[command(name = "lvs-ctl", version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Forward packets: attach the program and serve commands
    Run(RunArgs),
    /// Take the program off and forget everything
    Detach(Places),
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    let done = match cli.verb {
        Verb::Run(args) => tokio::runtime::Runtime::new()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(daemon::run(args))),
        Verb::Detach(places) => daemon::detach(&places),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lvs-ctl: {error:#}");
            ExitCode::FAILURE
        }
    }
}
