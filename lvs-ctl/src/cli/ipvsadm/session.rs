//! One run of ipvsadm: lines in, requests to the controller, text and an exit code out.

use std::io::Write;

use super::{
    HELP, Refusal, Streams, VERSION,
    command::{self, Ask},
    line,
    render::{self, Format, View},
    restore,
};
use crate::{
    api::{
        client::{ClientError, Controller},
        types::{Change, ChangeRequest, ConnectionQuery, ListQuery, Listing},
    },
    cli::names::Names,
    model::text::{Naming, Numeric},
};

const KERNEL_REFUSED: u8 = 255;
const LISTING_FAILED: u8 = 1;

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    exit: u8,
    /// Nothing more is read after it.
    last: bool,
}

/// The state of a run.
pub(super) struct Session<'a> {
    streams: Streams<'a>,
    names: &'a dyn Names,
    controller: &'a mut dyn Controller,
    /// Changes of a restore that are not sent yet.
    pending: Vec<Change>,
}

/// Writes `text`; a reader that went away is not worth a word.
pub(super) fn put(stream: &mut dyn Write, text: &str) {
    if stream.write_all(text.as_bytes()).is_ok() {
        stream.flush().ok();
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(
        streams: Streams<'a>,
        names: &'a dyn Names,
        controller: &'a mut dyn Controller,
    ) -> Self {
        Self { streams, names, controller, pending: Vec::new() }
    }

    /// The program without any word.
    pub(super) fn list_all(&mut self) -> u8 {
        self.list(ListQuery::default(), Format::default()).exit
    }

    /// The program with words.
    pub(super) fn run(&mut self, words: &[String]) -> u8 {
        match line::read(words, self.names).and_then(command::ask) {
            Ok(Ask::Restore) => self.restore(false),
            Ok(ask) => {
                let end = self.carry_out(ask);
                let sent = self.send();
                if end.exit == 0 { sent } else { end.exit }
            }
            Err(refusal) => self.refuse(&refusal).exit,
        }
    }

    /// The script that saves.
    pub(super) fn save_script(&mut self, words: &[String]) -> u8 {
        if words.iter().any(|word| word.starts_with('-') && word != "-n") {
            put(
                self.streams.error,
                "ipvsadm-save: Script to save the IPVS table to stdout.\n   \
                 With the -n option, prints out the table in numeric format.\n",
            );
            return 1;
        }
        self.save(words.iter().any(|word| word == "-n")).exit
    }

    /// The script that restores: it clears first, and lines that begin with `#` are comments.
    pub(super) fn restore_script(&mut self) -> u8 {
        self.pending.push(Change::Flush);
        self.restore(true)
    }

    /// Carries out the lines of standard input. Changes between two lines that print go to the
    /// controller as one request, so packets see all of them at once.
    fn restore(&mut self, comments: bool) -> u8 {
        let mut input = Vec::new();
        if self.streams.input.read_to_end(&mut input).is_err() {
            input.clear();
        }
        let mut exit = 0;
        for words in restore::lines(&input, comments) {
            let end = match line::read(&words, self.names).and_then(command::ask) {
                Ok(Ask::Restore) => self.refuse(&Refusal::TryHelp),
                Ok(Ask::Change(change)) => {
                    self.pending.push(change);
                    continue;
                }
                Ok(ask) => self.carry_out(ask),
                Err(refusal) => self.refuse(&refusal),
            };
            exit = end.exit;
            if end.last {
                return exit;
            }
        }
        if self.pending.is_empty() { exit } else { self.send() }
    }

    fn carry_out(&mut self, ask: Ask) -> End {
        if let Ask::Change(change) = ask {
            self.pending.push(change);
            return End { exit: 0, last: false };
        }
        self.send();
        match ask {
            Ask::Help | Ask::Version => {
                let help = if matches!(ask, Ask::Help) { HELP } else { "" };
                put(self.streams.output, &format!("{VERSION}{help}"));
                End { exit: 0, last: true }
            }
            Ask::List(service, format) => {
                let query = ListQuery {
                    service,
                    stats: format.view == View::Stats,
                    rates: format.view == View::Rate,
                };
                self.list(query, format)
            }
            Ask::Connections(format) => self.connections(format),
            Ask::Timeouts => self.settings(|settings| render::timeouts(settings.timeouts)),
            Ask::Daemons => self.settings(|settings| render::daemons(&settings.daemons)),
            Ask::Save { numeric } => self.save(numeric),
            // Whoever calls sees to these.
            Ask::Change(_) | Ask::Restore => End { exit: 0, last: false },
        }
    }

    /// Sends what is pending; the exit code is that of the last change.
    fn send(&mut self) -> u8 {
        if self.pending.is_empty() {
            return 0;
        }
        let changes = std::mem::take(&mut self.pending);
        let last = changes.len() - 1;
        let request = ChangeRequest { changes, ..ChangeRequest::default() };
        match self.controller.change(&request) {
            Ok(answer) => {
                for refused in &answer.refused {
                    put(self.streams.error, &format!("{}\n", refused.problem.message));
                }
                let last_refused = answer.refused.last().is_some_and(|it| it.index == last);
                if last_refused { KERNEL_REFUSED } else { 0 }
            }
            Err(error) => self.fail(&error, KERNEL_REFUSED).exit,
        }
    }

    fn refuse(&mut self, refusal: &Refusal) -> End {
        self.send();
        put(self.streams.error, &format!("{refusal}\n"));
        End { exit: refusal.exit(), last: refusal.ends_restore() }
    }

    fn fail(&mut self, error: &ClientError, exit: u8) -> End {
        put(self.streams.error, &format!("{error}\n"));
        End { exit, last: true }
    }

    fn list(&mut self, query: ListQuery, format: Format) -> End {
        let names = naming(self.names, format.numeric);
        let text = self.controller.listing(&query).map(|listing: Listing| match query.service {
            None => render::table(&listing, format, names),
            Some(_) => render::entries(&listing.services, format, names),
        });
        self.show(text)
    }

    fn save(&mut self, numeric: bool) -> End {
        let names = naming(self.names, numeric);
        let listing = self.controller.listing(&ListQuery::default());
        self.show(listing.map(|listing| render::save(&listing.services, names)))
    }

    fn settings(&mut self, text: impl FnOnce(crate::api::types::Settings) -> String) -> End {
        let settings = self.controller.settings();
        self.show(settings.map(text))
    }

    fn connections(&mut self, format: Format) -> End {
        let names = naming(self.names, format.numeric);
        put(self.streams.output, &render::connections_title(format));
        let output = &mut *self.streams.output;
        let mut line = String::new();
        let mut visit = |connection| {
            line.clear();
            render::connection(&mut line, &connection, format, names);
            // A reader that went away ends it.
            output.write_all(line.as_bytes()).is_ok()
        };
        let result = self.controller.connections(&ConnectionQuery::default(), &mut visit);
        match result {
            Ok(()) => self.show(Ok(String::new())),
            Err(error) => self.fail(&error, LISTING_FAILED),
        }
    }

    fn show(&mut self, text: Result<String, ClientError>) -> End {
        match text {
            Ok(text) => {
                put(self.streams.output, &text);
                End { exit: 0, last: false }
            }
            Err(error) => self.fail(&error, LISTING_FAILED),
        }
    }
}

fn naming(names: &dyn Names, numeric: bool) -> &dyn Naming {
    if numeric { &Numeric } else { names }
}
