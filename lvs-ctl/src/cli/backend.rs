//! `lvs-ctl backend …`.

use clap::{Args, Subcommand};

use super::{
    Context, Failure, admin,
    argument::{BackendArgument, ServiceArgument, service_text, subject},
    backend_options::Describe,
    condition,
    drain::Drain,
    service::{Json, optional, read_then_change},
    table::{Numbers, table},
};
use crate::api::types::{
    Admin, Change, Dest, DestAddr, DestEntry, DestHealth, ListQuery, Listing, Method, ServiceId,
};

/// What to do with real servers.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Add a real server to a virtual service
    #[command(after_help = "Examples:\n  \
        lvs-ctl backend add tcp:192.0.2.1:80 192.0.2.11\n  \
        lvs-ctl backend add tcp:192.0.2.1:80 10.0.0.11:8080 --method nat --weight 3\n  \
        lvs-ctl backend add tcp:192.0.2.1:80 10.0.0.12 --method tun --tunnel gue --tunnel-port 6080")]
    Add(Describe),
    /// Change what is named of a real server; the rest stays
    #[command(after_help = "Examples:\n  \
        lvs-ctl backend edit tcp:192.0.2.1:80 192.0.2.11 --weight 0\n  \
        lvs-ctl backend edit tcp:192.0.2.1:80 192.0.2.11 --upper 1000 --lower 800")]
    Edit(Describe),
    /// Delete a real server from a virtual service
    #[command(after_help = "Example:\n  lvs-ctl backend delete tcp:192.0.2.1:80 192.0.2.11")]
    Delete(Name),
    /// Give a real server no new connections, and wait until it has none
    Drain(Drain),
    /// Take a real server out, whatever its checks say, until `enable`
    #[command(after_help = "Example:\n  lvs-ctl backend maintain tcp:192.0.2.1:80 192.0.2.11")]
    Maintain(Name),
    /// Take a real server for up, whatever its checks say, until `enable`
    #[command(after_help = "Example:\n  lvs-ctl backend force-up tcp:192.0.2.1:80 192.0.2.11")]
    ForceUp(Name),
    /// Let the checks of a real server decide again: the end of drain, maintain and force-up
    #[command(after_help = "Example:\n  lvs-ctl backend enable tcp:192.0.2.1:80 192.0.2.11")]
    Enable(Name),
    /// Check a real server now, and show what is found
    #[command(after_help = "Example:\n  lvs-ctl backend check tcp:192.0.2.1:80 192.0.2.11")]
    Check(Name),
    /// End the connections of a real server now
    #[command(after_help = "Example:\n  lvs-ctl backend reset tcp:192.0.2.1:80 192.0.2.11")]
    Reset(Name),
    /// List real servers
    #[command(visible_alias = "ls")]
    List(List),
}

/// A real server.
#[derive(Debug, Args)]
pub struct Name {
    #[command(flatten)]
    service: ServiceArgument,
    #[command(flatten)]
    backend: BackendArgument,
    #[command(flatten)]
    pub(super) json: Json,
}

/// Which real servers to list.
#[derive(Debug, Args)]
pub struct List {
    /// Only this virtual service's
    service: Option<String>,
    /// With counters
    #[arg(long)]
    stats: bool,
    /// With rates a second
    #[arg(long, conflicts_with = "stats")]
    rates: bool,
    #[command(flatten)]
    json: Json,
}

impl Verb {
    /// Carries it out.
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Add(describe) => {
                let service = describe.service.id(context.names)?;
                let addr = describe.backend.addr(service, context.names)?;
                let dest = describe.applied_to(service, plain(addr))?;
                let health = describe.health.applied_to(DestHealth::default(), &[])?;
                let health = health.map(|health| set_health(service, addr, health));
                let change = Change::AddDest { service, dest };
                let changes = [change].into_iter().chain(health).collect();
                context.changes(&subject(service, addr), changes, describe.json.json)
            }
            Self::Edit(describe) => edit(context, &describe),
            Self::Delete(name) => {
                let (service, dest) = name.read(context)?;
                let change = Change::DeleteDest { service, dest };
                context.change(&subject(service, dest), change, name.json.json)
            }
            Self::Maintain(name) => admin::decide(context, &name, Admin::Maintenance),
            Self::ForceUp(name) => admin::decide(context, &name, Admin::ForcedUp),
            Self::Enable(name) => admin::decide(context, &name, Admin::Enabled),
            Self::Check(name) => admin::check(context, &name),
            Self::Reset(name) => admin::reset(context, &name),
            Self::Drain(drain) => drain.run(context),
            Self::List(list) => list.run(context),
        }
    }
}

impl Name {
    /// The service and its real server.
    pub(super) fn read(&self, context: &Context<'_>) -> Result<(ServiceId, DestAddr), Failure> {
        let service = self.service.id(context.names)?;
        Ok((service, self.backend.addr(service, context.names)?))
    }
}

fn set_health(service: ServiceId, dest: DestAddr, health: DestHealth) -> Change {
    Change::SetDestHealth { service, dest, health }
}

fn plain(addr: DestAddr) -> Dest {
    Dest { addr, method: Method::DirectRoute, weight: 1, upper_threshold: 0, lower_threshold: 0 }
}

fn edit(context: &mut Context<'_>, describe: &Describe) -> Result<(), Failure> {
    let service = describe.service.id(context.names)?;
    let addr = describe.backend.addr(service, context.names)?;
    read_then_change(context, service, describe.json.json, &mut |entry| {
        let known = entry.dests.iter().find(|entry| entry.dest.addr == addr);
        let Some(DestEntry { dest: before, health, .. }) = known else {
            return Err(Failure::new(format!("{}: No such destination", subject(service, addr))));
        };
        let dest = describe.applied_to(service, *before)?;
        let health = describe.health.applied_to(health.clone(), &entry.health.checks)?;
        let health = health.map(|health| set_health(service, addr, health));
        // Whoever changes nothing else means the checks.
        let edit =
            (health.is_none() || dest != *before).then_some(Change::EditDest { service, dest });
        Ok(edit.into_iter().chain(health).collect())
    })
}

impl List {
    fn run(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let service = optional(context, self.service.as_deref())?;
        let query = ListQuery { service, stats: self.stats, rates: self.rates };
        let subject = service.map(service_text).unwrap_or_default();
        let listing = context.controller.listing(&query);
        let listing = listing.map_err(|error| Failure::about(&subject, error))?;
        if self.json.json {
            return context.json(&listing);
        }
        let text = self.text(&listing);
        context.print(&text);
        Ok(())
    }

    fn text(&self, listing: &Listing) -> String {
        let dests = listing.services.iter().flat_map(|entry| {
            entry.dests.iter().map(move |dest| (service_text(entry.service.id), entry, dest))
        });
        if self.stats || self.rates {
            let names = ["SERVICE", "BACKEND"];
            let mut numbers =
                if self.stats { Numbers::stats(&names) } else { Numbers::rates(&names) };
            for (service, _, entry) in dests {
                numbers.push(vec![service, entry.dest.addr.to_string()], entry.stats, entry.rates);
            }
            return numbers.text();
        }
        let rows = dests.map(|(service, of, entry)| {
            let DestEntry { dest, load, .. } = entry;
            [
                service,
                dest.addr.to_string(),
                dest.method.to_string(),
                condition::state(of, entry),
                dest.weight.to_string(),
                dest.upper_threshold.to_string(),
                dest.lower_threshold.to_string(),
                load.active.to_string(),
                load.inactive.to_string(),
                load.persistent.to_string(),
            ]
        });
        let head = [
            "SERVICE",
            "BACKEND",
            "METHOD",
            "STATE",
            "WEIGHT",
            "UPPER",
            "LOWER",
            "ACTIVE",
            "INACTIVE",
            "PERSISTENT",
        ];
        table(&head, &rows.collect::<Vec<_>>())
    }
}
