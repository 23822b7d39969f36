//! `lvs-ctl health`: who is up, who is not, and why.

use std::{
    io::{IsTerminal as _, stdout},
    thread,
};

use clap::Args;

use super::{
    Context, Failure,
    argument::service_text,
    condition,
    service::{Json, optional},
    table::table,
};
use crate::api::types::{
    CheckReport, DestState, Effective, Gate, HealthListing, HealthQuery, LastResult, ServiceState,
    Span,
};

/// Takes the cursor home and the screen's old text away.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// The columns of real servers.
pub(super) const HEAD: [&str; 9] =
    ["SERVICE", "BACKEND", "STATE", "SINCE", "WEIGHT", "CHECK", "NEXT", "LATENCY", "RESULT"];

/// Whose health to show, and how.
#[derive(Debug, Args)]
#[command(
    after_help = "WEIGHT is the operator's, and `3 -> 0' what a real server gets instead.\n\n\
    Examples:\n  \
    lvs-ctl health\n  \
    lvs-ctl health tcp:192.0.2.1:80 --watch"
)]
pub struct Arguments {
    /// Only this virtual service's
    service: Option<String>,
    /// Show it again and again
    #[arg(long)]
    watch: bool,
    /// How often, with --watch
    #[arg(long, value_name = "TIME", default_value = "1s", requires = "watch")]
    every: Span,
    #[command(flatten)]
    json: Json,
}

impl Arguments {
    /// Carries it out.
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let service = optional(context, self.service.as_deref())?;
        let subject = service.map(service_text).unwrap_or_default();
        let query = HealthQuery { service };
        let mut listing = || {
            let listing = context.controller.health(&query);
            listing.map_err(|error| Failure::about(&subject, error))
        };
        if !self.watch {
            let listing = listing()?;
            if self.json.json {
                return context.json(&listing);
            }
            context.print(&text(&listing));
            return Ok(());
        }
        loop {
            let shown = self.shown(&listing()?)?;
            // A reader that went away has seen enough.
            let written = context.output.write_all(shown.as_bytes());
            if written.and_then(|()| context.output.flush()).is_err() {
                return Ok(());
            }
            thread::sleep(self.every.duration());
        }
    }

    /// One of many: a line in JSON, or a screen.
    fn shown(&self, listing: &HealthListing) -> Result<String, Failure> {
        if self.json.json {
            let line = serde_json::to_string(listing);
            return Ok(line.map_err(|error| Failure::new(error.to_string()))? + "\n");
        }
        let end = if stdout().is_terminal() { "" } else { "\n" };
        let begin = if stdout().is_terminal() { CLEAR } else { "" };
        Ok(format!("{begin}{}{end}", text(listing)))
    }
}

fn text(listing: &HealthListing) -> String {
    if listing.services.is_empty() {
        return "No real server is checked.\n".to_owned();
    }
    let services: Vec<_> = listing.services.iter().map(summary).collect();
    let dests: Vec<_> = listing.services.iter().flat_map(rows).collect();
    let services = table(&["SERVICE", "QUORUM", "UP", "SORRY"], &services);
    if dests.is_empty() { services } else { format!("{services}\n{}", table(&HEAD, &dests)) }
}

fn summary(service: &ServiceState) -> [String; 4] {
    let up = service.dests.iter().filter(|dest| condition::is_up(dest.health, dest.admin)).count();
    let quorum = match service.quorum {
        Gate::Met => "met",
        Gate::Backup => "met by backup servers",
        Gate::Lost => "lost",
    };
    let sorry = service.sorry.as_ref().map_or_else(
        || "-".to_owned(),
        |sorry| match sorry.effective {
            Effective::Weight(_) => format!("{} takes all", sorry.dest),
            Effective::Absent => format!("{} waits", sorry.dest),
        },
    );
    let of = service.dests.len();
    [service_text(service.service), quorum.to_owned(), format!("{up} of {of}"), sorry]
}

fn rows(service: &ServiceState) -> Vec<[String; 9]> {
    let name = service_text(service.service);
    let dests = service.dests.iter().map(|dest| (dest, dest.dest.to_string()));
    let sorry = service.sorry.iter().map(|dest| (&**dest, format!("{} (sorry)", dest.dest)));
    dests.chain(sorry).flat_map(|(dest, backend)| dest_rows(&name, &backend, dest)).collect()
}

/// A row for each check of a real server, or one without.
pub(super) fn dest_rows(service: &str, backend: &str, dest: &DestState) -> Vec<[String; 9]> {
    let row = |check: [String; 4]| {
        let [check, next, latency, result] = check;
        [
            service.to_owned(),
            backend.to_owned(),
            state(dest),
            dest.since_ms.map_or_else(none, since),
            weight(dest),
            check,
            next,
            latency,
            result,
        ]
    };
    if dest.checks.is_empty() {
        return vec![row([none(), none(), none(), "not checked".to_owned()])];
    }
    dest.checks.iter().map(|check| row(of_check(dest, check))).collect()
}

fn of_check(dest: &DestState, check: &CheckReport) -> [String; 4] {
    let next = match check.next_ms {
        0 => "now".to_owned(),
        ms => tenths(ms, "s"),
    };
    let latency = check.last.as_ref().map_or_else(none, |last| tenths(last.latency_us, "ms"));
    let words = check.last.as_ref().map_or_else(none, LastResult::words);
    let failed = check.last.as_ref().is_some_and(|last| last.failure.is_some());
    let cause =
        dest.cause.as_ref().map(ToString::to_string).filter(|cause| failed && *cause != words);
    let result = match cause {
        Some(cause) => format!("{cause} ({words})"),
        None => words,
    };
    [check.check.clone(), next, latency, result]
}

fn state(dest: &DestState) -> String {
    let mut words = condition::words(dest.health, dest.admin, dest.backup);
    words.extend(dest.held_ms.map(|ms| format!("held {}", tenths(ms, "s"))));
    words.join(", ")
}

fn weight(dest: &DestState) -> String {
    match dest.effective {
        Effective::Weight(weight) if weight == dest.weight => weight.to_string(),
        Effective::Weight(weight) => format!("{} -> {weight}", dest.weight),
        Effective::Absent => format!("{} -> absent", dest.weight),
    }
}

fn since(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let seconds = ms / 1000;
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1, "s"));
    format!("{}{name}", seconds / unit)
}

/// Thousandths with one digit behind the point.
fn tenths(thousandths: u64, unit: &str) -> String {
    format!("{}.{}{unit}", thousandths / 1000, thousandths % 1000 / 100)
}

fn none() -> String {
    "-".to_owned()
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
