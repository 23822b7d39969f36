//! `lvs-ctl backend drain`: no new connections, then wait.

use std::{
    thread,
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    Context, Failure,
    argument::{BackendArgument, ServiceArgument, subject},
    service::Json,
};
use crate::api::types::{Admin, Change, ConnectionQuery, DestAddr, ListQuery, Load, ServiceId};

/// How often the connections are counted.
const PERIOD: Duration = Duration::from_millis(500);

/// Both ends are done with a connection in one of these states, which is kept for stragglers only;
/// and what stands in the last one is a template.
const ENDED: [&str; 4] = ["TIME_WAIT", "CLOSE", "CLOSED", "NONE"];

/// Which real server to drain, and for how long.
#[derive(Debug, Args)]
#[command(after_help = "A connection has ended when both sides closed it; by direct routing and \
    in tunnels the director sees one side only, and waits two minutes longer.\n\nExample:\n  \
    lvs-ctl backend drain tcp:192.0.2.1:80 192.0.2.11 --deadline 600 && \
    lvs-ctl backend delete tcp:192.0.2.1:80 192.0.2.11")]
pub struct Drain {
    #[command(flatten)]
    service: ServiceArgument,
    #[command(flatten)]
    backend: BackendArgument,
    /// Give up waiting after this many seconds; it stays drained until `enable`
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    deadline: u64,
    #[command(flatten)]
    json: Json,
}

impl Drain {
    /// Carries it out.
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let service = self.service.id(context.names)?;
        let addr = self.backend.addr(service, context.names)?;
        let change = Change::SetAdmin { service, dest: addr, admin: Admin::Drain };
        context.change(&subject(service, addr), change, self.json.json)?;
        let deadline = Instant::now() + Duration::from_secs(self.deadline);
        loop {
            let Load { active, inactive, .. } = left(context, service, addr)?;
            if active == 0 && inactive == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Failure::new(format!(
                    "{}: {active} active and {inactive} inactive connections are left",
                    subject(service, addr)
                )));
            }
            thread::sleep(PERIOD);
        }
    }
}

/// How many connections are to be waited for. Those that ended are looked for only when no other
/// reason to wait is left.
fn left(context: &mut Context<'_>, service: ServiceId, addr: DestAddr) -> Result<Load, Failure> {
    let load = load(context, service, addr)?;
    if load.active > 0 || load.inactive == 0 {
        return Ok(load);
    }
    let query = ConnectionQuery {
        service: Some(service),
        dest: Some(addr.address),
        ..ConnectionQuery::default()
    };
    let mut alive = 0;
    let listed = context.controller.connections(&query, &mut |connection| {
        // Port 0 takes every port.
        let own = addr.port == 0 || addr.port == connection.dest.port;
        alive += u32::from(own && !ENDED.contains(&connection.state.as_ref()));
        true
    });
    listed.map_err(|error| Failure::about(&subject(service, addr), error))?;
    Ok(Load { inactive: alive, ..load })
}

fn load(context: &mut Context<'_>, service: ServiceId, addr: DestAddr) -> Result<Load, Failure> {
    let query = ListQuery { service: Some(service), ..ListQuery::default() };
    let listing = context.controller.listing(&query);
    let listing = listing.map_err(|error| Failure::about(&subject(service, addr), error))?;
    let mut dests = listing.services.iter().flat_map(|entry| &entry.dests);
    let known = dests.find(|entry| entry.dest.addr == addr);
    known.map(|entry| entry.load).ok_or_else(|| missing(service, addr))
}

fn missing(service: ServiceId, addr: DestAddr) -> Failure {
    Failure::new(format!("{}: No such destination", subject(service, addr)))
}
