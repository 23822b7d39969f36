//! `lvs-ctl backend maintain|force-up|enable|check|reset`: what operators do about one real server's
//! health.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    Context, Failure,
    argument::{service_text, subject},
    backend::Name,
    health::{HEAD, dest_rows},
    table::table,
};
use crate::api::types::{
    Admin, Change, CheckRequest, DestAddr, DestState, HealthQuery, RealServer, ServiceId,
};

/// How often a result is looked for, and how long.
const PERIOD: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_mins(1);

/// Decides over the health of a real server.
pub(super) fn decide(context: &mut Context<'_>, name: &Name, admin: Admin) -> Result<(), Failure> {
    let (service, dest) = name.read(context)?;
    let change = Change::SetAdmin { service, dest, admin };
    context.change(&subject(service, dest), change, name.json.json)
}

/// Checks a real server now, and shows what was found.
pub(super) fn check(context: &mut Context<'_>, name: &Name) -> Result<(), Failure> {
    let (service, dest) = name.read(context)?;
    let about = |error| Failure::about(&subject(service, dest), error);
    let before = state(context, service, dest)?;
    context.controller.check(&CheckRequest { service, dest: Some(dest) }).map_err(about)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = state(context, service, dest)?;
        if is_newer(&now, &before) {
            if name.json.json {
                return context.json(&now);
            }
            let rows = dest_rows(&service_text(service), &dest.to_string(), &now);
            context.print(&table(&HEAD, &rows));
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!("{}: no result yet", subject(service, dest))));
        }
        thread::sleep(PERIOD);
    }
}

/// Ends the connections of a real server.
pub(super) fn reset(context: &mut Context<'_>, name: &Name) -> Result<(), Failure> {
    let (service, dest) = name.read(context)?;
    let answer = context.controller.reset(&RealServer { service, dest });
    let answer = answer.map_err(|error| Failure::about(&subject(service, dest), error))?;
    if name.json.json {
        return context.json(&answer);
    }
    context.print(&format!("{} connections ended\n", answer.ended));
    Ok(())
}

fn state(
    context: &mut Context<'_>,
    service: ServiceId,
    dest: DestAddr,
) -> Result<DestState, Failure> {
    let subject = subject(service, dest);
    let listing = context.controller.health(&HealthQuery { service: Some(service) });
    let listing = listing.map_err(|error| Failure::about(&subject, error))?;
    let dests = listing.services.into_iter().flat_map(|it| it.dests);
    let found = dests.into_iter().find(|it| it.dest == dest);
    found.ok_or_else(|| Failure::new(format!("{subject}: nothing is checked there")))
}

/// Whether every check has been made since.
fn is_newer(now: &DestState, before: &DestState) -> bool {
    let mut pairs = now.checks.iter().zip(&before.checks);
    pairs.all(|(now, before)| now.runs != before.runs)
}
