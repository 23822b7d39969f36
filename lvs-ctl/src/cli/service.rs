//! `lvs-ctl service …`.

use clap::{Args, Subcommand};

use super::{
    Context, Failure,
    argument::{ServiceArgument, service_text},
    condition,
    service_options::Describe,
    table::{Numbers, table},
};
use crate::{
    api::{
        client::ClientError,
        types::{
            Change, ChangeRequest, DEFAULT_SCHEDULER, ListQuery, Listing, Load, Persistence,
            Problem, SchedulerFlags, Service, ServiceEntry, ServiceHealth, ServiceId,
        },
    },
    model::text,
};

/// How often an edit begins anew because somebody else changed the table meanwhile.
const ATTEMPTS: usize = 8;

/// What to do with virtual services.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Add a virtual service
    #[command(after_help = "Examples:\n  \
        lvs-ctl service add tcp:192.0.2.1:80\n  \
        lvs-ctl service add tcp:192.0.2.1:443 --scheduler wrr --persistent 300\n  \
        lvs-ctl service add tcp:192.0.2.1:80 --check http:/healthz --check-interval 2s --fall 1\n  \
        lvs-ctl service add udp:[2001:db8::1]:53 --scheduler rr --one-packet\n  \
        lvs-ctl service add fwmark:7 --scheduler sh --flags port,fallback")]
    Add(Describe),
    /// Change what is named of a virtual service; the rest stays
    #[command(after_help = "Examples:\n  \
        lvs-ctl service edit tcp:192.0.2.1:80 --scheduler wlc\n  \
        lvs-ctl service edit tcp:192.0.2.1:80 --persistent off\n  \
        lvs-ctl service edit tcp:192.0.2.1:80 --check none")]
    Edit(Describe),
    /// Delete a virtual service and its real servers
    #[command(after_help = "Example:\n  lvs-ctl service delete tcp:192.0.2.1:80")]
    Delete(Name),
    /// List virtual services
    #[command(visible_alias = "ls")]
    List(List),
    /// Delete every virtual service
    Flush(Json),
    /// Zero the counters of one virtual service, or of all
    Zero(Zero),
}

/// A virtual service.
#[derive(Debug, Args)]
pub struct Name {
    #[command(flatten)]
    service: ServiceArgument,
    #[command(flatten)]
    json: Json,
}

/// Which virtual services to list.
#[derive(Debug, Args)]
pub struct List {
    /// Only this one
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

/// Which counters to zero.
#[derive(Debug, Args)]
pub struct Zero {
    /// Only this virtual service's
    service: Option<String>,
    #[command(flatten)]
    json: Json,
}

/// Whether the answer is for programs.
#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// Answer in JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Verb {
    /// Carries it out.
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Add(describe) => {
                let id = describe.service.id(context.names)?;
                let service = describe.applied_to(plain(id))?;
                let health = describe.health.applied_to(ServiceHealth::default())?;
                let health = health.map(|health| Change::SetHealth { service: id, health });
                let changes = [Change::AddService(service)].into_iter().chain(health).collect();
                context.changes(&service_text(id), changes, describe.json.json)
            }
            Self::Edit(describe) => edit(context, &describe),
            Self::Delete(Name { service, json }) => {
                let id = service.id(context.names)?;
                context.change(&service_text(id), Change::DeleteService(id), json.json)
            }
            Self::List(list) => list.run(context),
            Self::Flush(json) => context.change("flush", Change::Flush, json.json),
            Self::Zero(Zero { service, json }) => {
                let id = optional(context, service.as_deref())?;
                let subject = id.map_or_else(|| "zero".to_owned(), service_text);
                context.change(&subject, Change::Zero(id), json.json)
            }
        }
    }
}

/// The virtual service of an optional argument.
pub(super) fn optional(
    context: &Context<'_>,
    text: Option<&str>,
) -> Result<Option<ServiceId>, Failure> {
    text.map(|text| super::argument::service_id(text, context.names)).transpose()
}

/// Reads a service, lets `change` make changes from it, and sends them unless somebody else was
/// faster: then it begins anew.
pub(super) fn read_then_change(
    context: &mut Context<'_>,
    id: ServiceId,
    json: bool,
    change: &mut dyn FnMut(&ServiceEntry) -> Result<Vec<Change>, Failure>,
) -> Result<(), Failure> {
    let subject = service_text(id);
    let about = |error| Failure::about(&subject, error);
    let query = ListQuery { service: Some(id), ..ListQuery::default() };
    for _ in 0..ATTEMPTS {
        let listing = context.controller.listing(&query).map_err(about)?;
        let Some(entry) = listing.services.first() else { break };
        let request = ChangeRequest {
            changes: change(entry)?,
            all_or_nothing: true,
            if_revision: Some(listing.revision),
        };
        match context.controller.change(&request) {
            Err(ClientError::Problem(Problem { code, .. })) if code == "stale" => (),
            answer => return context.changed(&answer.map_err(about)?, json),
        }
    }
    Err(Failure::new(format!("{subject}: the table changes too fast to edit it")))
}

fn edit(context: &mut Context<'_>, describe: &Describe) -> Result<(), Failure> {
    let id = describe.service.id(context.names)?;
    read_then_change(context, id, describe.json.json, &mut |entry| {
        let service = describe.applied_to(entry.service.clone())?;
        let health = describe.health.applied_to(entry.health.clone())?;
        let health = health.map(|health| Change::SetHealth { service: id, health });
        // Whoever changes nothing else means the checks.
        let edit =
            (health.is_none() || service != entry.service).then_some(Change::EditService(service));
        Ok(edit.into_iter().chain(health).collect())
    })
}

fn plain(id: ServiceId) -> Service {
    Service {
        id,
        scheduler: DEFAULT_SCHEDULER.into(),
        scheduler_flags: SchedulerFlags::default(),
        persistence: None,
        engine: None,
        one_packet: false,
    }
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
        let name = |entry: &ServiceEntry| service_text(entry.service.id);
        let entries = listing.services.iter();
        if self.stats || self.rates {
            let names = ["SERVICE"];
            let mut numbers =
                if self.stats { Numbers::stats(&names) } else { Numbers::rates(&names) };
            for entry in entries {
                numbers.push(vec![name(entry)], entry.stats, entry.rates);
            }
            return numbers.text();
        }
        let rows = entries.map(|entry| {
            let sum = |count: fn(&Load) -> u32| {
                entry.dests.iter().map(|dest| u64::from(count(&dest.load))).sum::<u64>().to_string()
            };
            [
                name(entry),
                entry.service.scheduler.clone(),
                entry.dests.len().to_string(),
                condition::count(entry),
                sum(|load| load.active),
                sum(|load| load.inactive),
                options(&entry.service),
            ]
        });
        let head = ["SERVICE", "SCHEDULER", "BACKENDS", "UP", "ACTIVE", "INACTIVE", "OPTIONS"];
        table(&head, &rows.collect::<Vec<_>>())
    }
}

/// What is not as by default, in the words of the options.
fn options(service: &Service) -> String {
    let mut words = Vec::new();
    if let Some(Persistence { timeout_s, netmask }) = service.persistence {
        words.push(format!("persistent={timeout_s}"));
        if !netmask.is_host() {
            words.push(format!("netmask={netmask}"));
        }
    }
    words.extend(service.engine.as_ref().map(|engine| format!("engine={engine}")));
    if service.one_packet {
        words.push("one-packet".into());
    }
    if !service.scheduler_flags.is_empty() {
        words.push(format!("flags={}", text::scheduler_flags("", service.scheduler_flags)));
    }
    words.join(" ")
}
