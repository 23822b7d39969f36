//! The director's controller and its command lines.
//!
//! Reached as `ipvsadm`, `ipvsadm-save` or `ipvsadm-restore`, it is that program.

#![forbid(unsafe_code)]

use std::{
    ffi::OsString,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;
use lvs_ctl::{
    api::{
        DEFAULT_SOCKET, SOCKET_VARIABLE,
        client::{Client, Controller},
        server,
    },
    cli::{
        self, Failure, Outcome,
        ipvsadm::{self, Program, Streams},
        names::System,
    },
    daemon::{self, DetachArgs, RunArgs},
    manual, realserver,
};

/// A refusal, or a controller that is not there.
const FAILED: u8 = 1;
/// A command line that makes no sense.
const USAGE: u8 = 2;
/// A plan or a check found differences.
const DIFFERS: u8 = 2;

/// Controls a Linux Virtual Server director that forwards in XDP
#[derive(Parser)]
#[command(name = "lvs-ctl", version, propagate_version = true)]
struct Arguments {
    /// Where the controller listens [default: /run/lvs/lvs.sock]
    #[arg(long, global = true, env = SOCKET_VARIABLE)]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Forward packets: attach the program and listen to commands
    Run(RunArgs),
    /// Take the program off all interfaces, and forget rules and connections
    Detach(DetachArgs),
    /// The other end: a real server's host
    #[command(subcommand)]
    Realserver(realserver::Verb),
    #[command(flatten)]
    Client(cli::Verb),
    /// ipvsadm 1.31, to the byte
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Ipvsadm(Words),
    /// ipvsadm-save, to the byte
    #[command(disable_help_flag = true, disable_version_flag = true)]
    IpvsadmSave(Words),
    /// ipvsadm-restore, to the byte
    #[command(disable_help_flag = true, disable_version_flag = true)]
    IpvsadmRestore(Words),
    /// Print the API's OpenAPI document
    Openapi,
    /// Write the manual's pages into a directory
    Manuals {
        /// The directory; it is made if it is not there
        directory: PathBuf,
    },
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(clap::Args)]
struct Words {
    /// What the program takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some((program, words)) = ipvsadm_words(&words) {
        let socket = std::env::var_os(SOCKET_VARIABLE).unwrap_or_else(|| DEFAULT_SOCKET.into());
        return run_ipvsadm(program, words, Path::new(&socket));
    }
    match Arguments::try_parse() {
        Ok(arguments) => run(arguments),
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Nowhere is left to say that this failed.
            writeln!(io::stderr(), "{error}").ok();
            USAGE.into()
        }
        Err(error) if error.use_stderr() => complain(&one_line(&error), USAGE),
        Err(help) => {
            print(&format!("{}\n", help.to_string().trim_end()));
            ExitCode::SUCCESS
        }
    }
}

/// The program of the ipvsadm package that a command line is of, by the file's name or by the first
/// word, and the words that it gets. They are its own to read, `--help` and `--` included.
fn ipvsadm_words(words: &[OsString]) -> Option<(Program, &[OsString])> {
    let named = |word: &OsString| Program::named(&Path::new(word).file_name()?.to_string_lossy());
    let (file, rest) = words.split_first()?;
    if let Some(program) = named(file) {
        return Some((program, rest));
    }
    let (verb, rest) = rest.split_first()?;
    Some((Program::named(&verb.to_string_lossy())?, rest))
}

fn run(Arguments { socket, verb }: Arguments) -> ExitCode {
    match verb {
        Verb::Run(args) => run_daemon(args, socket),
        Verb::Detach(args) => finish(daemon::detach(args, socket)),
        Verb::Realserver(verb) => run_realserver(verb),
        Verb::Client(verb) => run_verb(verb, &or_default(socket)),
        Verb::Ipvsadm(Words { words }) => {
            run_ipvsadm(Program::Ipvsadm, &words, &or_default(socket))
        }
        Verb::IpvsadmSave(Words { words }) => {
            run_ipvsadm(Program::Save, &words, &or_default(socket))
        }
        Verb::IpvsadmRestore(Words { words }) => {
            run_ipvsadm(Program::Restore, &words, &or_default(socket))
        }
        Verb::Openapi => {
            print(&server::document());
            ExitCode::SUCCESS
        }
        Verb::Manuals { directory } => {
            let written = manual::write(Arguments::command(), &directory);
            finish(written.with_context(|| format!("cannot write to {}", directory.display())))
        }
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "lvs-ctl", &mut text);
            print(&String::from_utf8_lossy(&text));
            ExitCode::SUCCESS
        }
    }
}

fn or_default(socket: Option<PathBuf>) -> PathBuf {
    socket.unwrap_or_else(|| DEFAULT_SOCKET.into())
}

fn run_daemon(args: RunArgs, socket: Option<PathBuf>) -> ExitCode {
    args.logging.start();
    finish(
        tokio::runtime::Runtime::new()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(daemon::run(args, socket))),
    )
}

fn finish(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("{error:#}"), FAILED),
    }
}

fn run_verb(verb: cli::Verb, socket: &Path) -> ExitCode {
    let done = Client::connect(socket).map_err(Failure::from).and_then(|mut client| {
        verb.run(&mut cli::Context {
            controller: &mut client,
            names: &System::default(),
            output: &mut BufWriter::new(io::stdout().lock()),
            error: &mut io::stderr().lock(),
        })
    });
    match done {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Differs) => DIFFERS.into(),
        Err(failure) => complain(&failure.to_string(), FAILED),
    }
}

fn run_realserver(verb: realserver::Verb) -> ExitCode {
    match verb.run() {
        Ok(said) => {
            print(&said.text);
            if said.differs { DIFFERS.into() } else { ExitCode::SUCCESS }
        }
        Err(error) => complain(&error.to_string(), FAILED),
    }
}

fn run_ipvsadm(program: Program, words: &[OsString], socket: &Path) -> ExitCode {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut client = Client::connect(socket);
    let controller = match &mut client {
        Ok(client) => Ok(client as &mut dyn Controller),
        Err(error) => Err(&*error),
    };
    let streams = Streams {
        input: &mut io::stdin().lock(),
        output: &mut BufWriter::new(io::stdout().lock()),
        error: &mut io::stderr().lock(),
    };
    ipvsadm::run(program, &words, streams, &System::default(), controller).into()
}

/// What clap says in several lines, in one.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words = first.trim_start_matches("error: ").split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

fn complain(line: &str, code: u8) -> ExitCode {
    // Nowhere is left to say that this failed.
    writeln!(io::stderr(), "lvs-ctl: {line}").ok();
    code.into()
}

fn print(text: &str) {
    // A reader that went away is not worth a word.
    io::stdout().write_all(text.as_bytes()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_does_not_contradict_itself() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_has_a_page_of_the_manual() {
        let pages = manual::pages(Arguments::command()).unwrap();
        let has = |file: &str| pages.iter().any(|page| page.file == file);
        for verb in Arguments::command().get_subcommands() {
            assert!(has(&format!("lvs-ctl-{}.8", verb.get_name())), "{}", verb.get_name());
        }
        for file in [
            "lvs-ctl.8",
            "lvs-ctl-backend-drain.8",
            "lvs.toml.5",
            "ipvsadm.8",
            "ipvsadm-save.8",
            "ipvsadm-restore.8",
        ] {
            assert!(has(file), "{file}");
        }
        let run = pages.iter().find(|page| page.file == "lvs-ctl-run.8").unwrap();
        assert!(run.text.contains("\\-\\-pin\\-dir"), "{}", run.text);
    }
}
