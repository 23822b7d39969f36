//! The command lines. Both dialects become the same requests.
//!
//! [`ipvsadm`] is ipvsadm to the byte; the verbs here are lvs-ctl's own: what is not named stays
//! as it is, every answer can be JSON, and every refusal is one line.

#![forbid(unsafe_code)]

mod admin;
mod apply;
mod argument;
mod backend;
mod backend_options;
mod check_options;
mod condition;
mod connections;
mod drain;
mod failure;
mod health;
pub mod ipvsadm;
mod mark;
pub mod names;
mod rules;
mod service;
mod service_options;
mod status;
mod sync;
pub(crate) mod table;
mod timeouts;
mod tunables;

use std::io::Write;

use clap::Subcommand;

pub use self::failure::Failure;
use self::names::Names;
use crate::api::{
    client::Controller,
    types::{Change, ChangeAnswer, ChangeRequest},
};

/// The verbs that talk to a running controller.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Virtual services: what clients connect to
    #[command(subcommand, visible_alias = "services")]
    Service(service::Verb),
    /// Real servers behind a virtual service
    #[command(subcommand, visible_alias = "backends")]
    Backend(backend::Verb),
    /// Which real servers are up, since when, and why not
    Health(health::Arguments),
    /// The connections that the director knows
    Connections(connections::Arguments),
    /// Show or set the timeouts of connections
    Timeouts(timeouts::Arguments),
    /// IPVS's tunables, net/ipv4/vs/*
    #[command(subcommand)]
    Tunables(tunables::Verb),
    /// Firewall marks: which packets carry which
    #[command(subcommand, visible_alias = "marks")]
    Mark(mark::Verb),
    /// Synchronisation daemons: their configuration
    #[command(subcommand)]
    Sync(sync::Verb),
    /// Print the rules as lines that `restore` and `ipvsadm-restore` read
    Save(rules::Save),
    /// Replace the rules by those of a file, all or none
    Restore(rules::Restore),
    /// Make the rules what a configuration file declares
    Apply(apply::Apply),
    /// Let the controller read its configuration file again
    Reload(apply::Reload),
    /// Interfaces, next hops, tables, and why packets were not forwarded
    Status(status::Arguments),
}

/// How a verb ended that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it was asked.
    Done,
    /// It was asked for a difference, and there is one.
    Differs,
}

/// What a verb works with.
pub struct Context<'a> {
    /// The controller.
    pub controller: &'a mut dyn Controller,
    /// Names of hosts and ports in arguments.
    pub names: &'a dyn Names,
    /// Standard output.
    pub output: &'a mut dyn Write,
    /// Standard error, for remarks.
    pub error: &'a mut dyn Write,
}

impl Verb {
    /// Carries it out.
    ///
    /// # Errors
    /// One line that says why not; nothing has changed then.
    pub fn run(self, context: &mut Context<'_>) -> Result<Outcome, Failure> {
        let done = match self {
            Self::Apply(arguments) => return arguments.run(context),
            Self::Service(verb) => verb.run(context),
            Self::Backend(verb) => verb.run(context),
            Self::Health(arguments) => arguments.run(context),
            Self::Connections(arguments) => arguments.run(context),
            Self::Timeouts(arguments) => arguments.run(context),
            Self::Tunables(verb) => verb.run(context),
            Self::Mark(verb) => verb.run(context),
            Self::Sync(verb) => verb.run(context),
            Self::Save(arguments) => arguments.run(context),
            Self::Restore(arguments) => arguments.run(context),
            Self::Status(arguments) => arguments.run(context),
            Self::Reload(arguments) => arguments.run(context),
        };
        done.map(|()| Outcome::Done)
    }
}

impl Context<'_> {
    /// Makes one change; `subject` is what a refusal is about.
    fn change(&mut self, subject: &str, change: Change, json: bool) -> Result<(), Failure> {
        self.changes(subject, vec![change], json)
    }

    /// Makes all of some changes, or none.
    fn changes(&mut self, subject: &str, changes: Vec<Change>, json: bool) -> Result<(), Failure> {
        let request = ChangeRequest { changes, all_or_nothing: true, ..ChangeRequest::default() };
        let answer = self.controller.change(&request);
        self.changed(&answer.map_err(|error| Failure::about(subject, error))?, json)
    }

    fn changed(&mut self, answer: &ChangeAnswer, json: bool) -> Result<(), Failure> {
        if json { self.json(answer) } else { Ok(()) }
    }

    fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        let text =
            serde_json::to_string_pretty(value).map_err(|error| Failure::new(error.to_string()))?;
        self.print(&format!("{text}\n"));
        Ok(())
    }

    /// Prints; a reader that went away is not worth a word.
    fn print(&mut self, text: &str) {
        if self.output.write_all(text.as_bytes()).is_ok() {
            self.output.flush().ok();
        }
    }

    fn remark(&mut self, text: &str) {
        writeln!(self.error, "lvs-ctl: {text}").ok();
    }
}
