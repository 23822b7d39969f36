//! Dialect A: ipvsadm 1.31, to the byte.
//!
//! A line goes through `popt` (words to options), `line` (options to values), `given` and
//! `command` (what fits together), becomes one request, and `render` prints the answer.

pub(super) mod address;
mod command;
mod given;
mod line;
mod number;
mod option;
mod popt;
mod refusal;
mod render;
mod restore;
mod sched_flags;
mod session;
mod tunnel;

use std::io::{Read, Write};

pub use self::option::Value as Takes;
use self::{command::Ask, refusal::Refusal, session::Session};
use super::names::Names;
use crate::api::{
    client::{ClientError, Controller},
    types::Change,
};

/// The three programs of the ipvsadm package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `ipvsadm`.
    Ipvsadm,
    /// `ipvsadm-save`.
    Save,
    /// `ipvsadm-restore`.
    Restore,
}

/// Where a program reads and writes.
pub struct Streams<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub output: &'a mut dyn Write,
    /// Standard error.
    pub error: &'a mut dyn Write,
}

/// What the command `-v` prints, and the first line of `-h`.
const VERSION: &str = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";
const HELP: &str = include_str!("help.txt");

impl Program {
    /// The program that a file of this name is.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ipvsadm" => Some(Self::Ipvsadm),
            "ipvsadm-save" => Some(Self::Save),
            "ipvsadm-restore" => Some(Self::Restore),
            _ => None,
        }
    }
}

/// Every option: its long name, its letter, and whether it takes a value.
pub fn grammar() -> impl Iterator<Item = (&'static str, Option<char>, Takes)> {
    option::SPECS.iter().map(|spec| (spec.long, spec.short, spec.value))
}

/// Runs one program with the words after its name; the answer is its exit code.
pub fn run<'a>(
    program: Program,
    words: &[String],
    mut streams: Streams<'a>,
    names: &'a dyn Names,
    controller: Result<&'a mut dyn Controller, &ClientError>,
) -> u8 {
    let controller = match controller {
        Ok(controller) => controller,
        Err(error) => return without_controller(program, words, &mut streams, error),
    };
    let mut session = Session::new(streams, names, controller);
    match program {
        Program::Ipvsadm if words.is_empty() => session.list_all(),
        Program::Ipvsadm => session.run(words),
        Program::Save => session.save_script(words),
        Program::Restore => session.restore_script(),
    }
}

/// The changes that the lines of `text` ask for, each with its line's number from 1. Empty lines
/// and lines that begin with `#` are left out.
///
/// # Errors
/// The number of the first line that is no change, and what is wrong with it.
pub(super) fn rules(
    text: &[u8],
    names: &dyn Names,
) -> Result<Vec<(usize, Change)>, (usize, String)> {
    let mut rules = Vec::new();
    for (number, words) in restore::numbered_lines(text, true) {
        match line::read(&words, names).and_then(command::ask) {
            Ok(Ask::Change(change)) => rules.push((number, change)),
            Ok(_) => return Err((number, format!("`{}' is no rule", words.join(" ")))),
            Err(refusal) => return Err((number, refusal.to_string())),
        }
    }
    Ok(rules)
}

/// ipvsadm asks for the kernel before it reads its options; help is given all the same.
fn without_controller(
    program: Program,
    words: &[String],
    streams: &mut Streams<'_>,
    error: &ClientError,
) -> u8 {
    let first = words.first().map(String::as_str);
    if program == Program::Ipvsadm && matches!(first, Some("-h" | "--help" | "-v" | "--version")) {
        let help = if matches!(first, Some("-h" | "--help")) { HELP } else { "" };
        session::put(streams.output, &format!("{VERSION}{help}"));
        return 0;
    }
    let reason = match error {
        ClientError::Denied { .. } => "Permission denied (you must be root)",
        _ => "Protocol not available",
    };
    let question = "Are you sure that IP Virtual Server is built in the kernel or as module?";
    session::put(streams.error, &format!("Can't initialize ipvs: {reason}\n{question}\n"));
    2
}
