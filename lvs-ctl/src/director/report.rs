//! What the director answers.

use std::{net::IpAddr, time::Instant};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    dataplane::DataPlaneError,
    model::{
        Change, Counters, Daemons, Dest, DestAddr, Invalid, Load, MarkRule, Origin, PlaneStatus,
        Rates, Service, ServiceId, Timeouts, Tunable, TunableValue,
        health::{Admin, DestHealth, Effective, Gate, Health, ServiceHealth},
    },
};

/// The virtual services with their real servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listing {
    /// The table's revision.
    pub revision: u64,
    /// The connection table's size as ipvsadm's first line shows it.
    pub size: u32,
    /// The services, oldest first.
    pub services: Vec<ServiceEntry>,
}

/// A virtual service in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceEntry {
    /// The service.
    pub service: Service,
    /// Where it comes from.
    #[serde(default)]
    pub origin: Origin,
    /// Its counters, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<Counters>,
    /// Its rates, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    /// Its real servers, newest first, as schedulers walk them.
    pub dests: Vec<DestEntry>,
    /// How they are checked, and what follows.
    #[serde(default, skip_serializing_if = "ServiceHealth::is_default")]
    pub health: ServiceHealth,
    /// Which side of its quorum it is on.
    #[serde(default)]
    pub quorum: Gate,
    /// The sorry server, while it takes all connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sorry: Option<Box<DestEntry>>,
}

/// A real server in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DestEntry {
    /// The real server, as the operator describes it.
    pub dest: Dest,
    /// What it gets, if its health or its operator's decision makes that something else than its
    /// weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Effective>,
    /// What its checks say.
    #[serde(default)]
    pub state: Health,
    /// What its operator decided over that.
    #[serde(default)]
    pub admin: Admin,
    /// How it is checked, if not as its service says.
    #[serde(default, skip_serializing_if = "DestHealth::is_default")]
    pub health: DestHealth,
    /// Its connections.
    pub load: Load,
    /// Stands in for it on the director: what is sent there goes the service's way, to this real server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stand_in: Option<IpAddr>,
    /// Its counters, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<Counters>,
    /// Its rates, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
}

/// What the table holds beside services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    /// The table's revision.
    pub revision: u64,
    /// The connection timeouts.
    pub timeouts: Timeouts,
    /// The synchronisation daemons.
    pub daemons: Daemons,
}

/// The tunables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TunableListing {
    /// The table's revision.
    pub revision: u64,
    /// All of them, by name.
    pub tunables: Vec<TunableEntry>,
}

/// A tunable in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TunableEntry {
    /// Its name below `net/ipv4/vs`.
    pub name: String,
    /// What it is set to.
    pub value: TunableValue,
    /// What the kernel begins with.
    pub default: TunableValue,
    /// What it takes, in words.
    pub range: String,
    /// What it counts, if it counts.
    pub unit: String,
    /// Whether the director heeds it: `yes`, `at VALUE only` or `no effect`.
    pub effect: String,
    /// What it does in IPVS.
    pub meaning: String,
}

/// The rules that mark packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MarkListing {
    /// The table's revision.
    pub revision: u64,
    /// The rules, the most specific first.
    pub marks: Vec<MarkRule>,
    /// Those of them that the configuration file declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<MarkRule>,
}

/// How the director is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The table's revision.
    pub revision: u64,
    /// Virtual services.
    pub services: usize,
    /// Real servers, counted in each service.
    pub dests: usize,
    /// How long this controller has been running, seconds.
    #[serde(default)]
    pub uptime_s: u64,
    /// Changes that were made since then.
    #[serde(default)]
    pub changes_applied: u64,
    /// Changes that were refused.
    #[serde(default)]
    pub changes_refused: u64,
    /// What all services together counted since then, deleted ones included; not zeroed, and as of the
    /// last period of the estimators.
    #[serde(default)]
    pub totals: Counters,
    /// How the data plane is.
    #[serde(flatten)]
    pub plane: PlaneStatus,
}

/// What a director has done since it started.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// When that was.
    pub since: Instant,
    /// Changes made.
    pub applied: u64,
    /// Changes refused.
    pub refused: u64,
}

/// Changes that one request made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The table's revision after them.
    pub revision: u64,
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// What health changed; the revision stays then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<HealthChange>,
}

/// What health changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HealthChange {
    /// A real server went or came, or gets another weight.
    Dest {
        /// The virtual service.
        service: ServiceId,
        /// The real server.
        dest: DestAddr,
        /// What its checks say.
        health: Health,
        /// What it got.
        before: Effective,
        /// What it gets.
        after: Effective,
        /// Why, in words.
        cause: String,
    },
    /// A service is on another side of its quorum.
    Quorum {
        /// The virtual service.
        service: ServiceId,
        /// Where it was.
        before: Gate,
        /// Where it is.
        after: Gate,
    },
}

/// What became of a list of changes.
#[derive(Debug)]
pub struct Changed {
    /// The table's revision now.
    pub revision: u64,
    /// How many changes were made.
    pub applied: usize,
    /// The places in the request of those that were not, with the reasons, in order.
    pub refused: Vec<(usize, Invalid)>,
}

/// Why the director did nothing.
#[derive(Debug, thiserror::Error)]
pub enum DirectorError {
    /// A change of an all-or-nothing request was refused.
    #[error("{invalid}")]
    Refused {
        /// Its place in the request.
        index: usize,
        /// Why.
        invalid: Invalid,
    },
    /// The service that a listing is of.
    #[error("{}", Invalid::NoService)]
    NoService,
    /// Somebody else changed the table first.
    #[error("the table has revision {current} by now")]
    Stale {
        /// The revision it has.
        current: u64,
    },
    /// The data plane refused.
    #[error(transparent)]
    DataPlane(#[from] DataPlaneError),
    /// The rules could not be written down, so they were not changed.
    #[error(transparent)]
    State(#[from] super::StateError),
    /// The director has stopped.
    #[error("the director has stopped")]
    Stopped,
}

impl ServiceEntry {
    /// Its real servers as packets see them and as `ipvsadm -Ln` shows them: those that are absent
    /// left out, the others with the weights that they get, a sorry server at the head.
    pub fn seen(&self) -> impl Iterator<Item = DestEntry> + '_ {
        let sorry = self.sorry.iter().map(|sorry| DestEntry::clone(sorry));
        sorry.chain(self.dests.iter().filter_map(DestEntry::seen))
    }
}

impl DestEntry {
    /// As packets see it; `None` if they do not.
    #[must_use]
    pub fn seen(&self) -> Option<Self> {
        match self.effective {
            None => Some(self.clone()),
            Some(Effective::Weight(weight)) => {
                Some(Self { dest: Dest { weight, ..self.dest }, ..self.clone() })
            }
            Some(Effective::Absent) => None,
        }
    }
}

impl TunableEntry {
    pub(super) fn new(tunable: &Tunable, value: TunableValue) -> Self {
        Self {
            name: tunable.name.into(),
            value,
            default: tunable.default,
            range: tunable.range.to_string(),
            unit: tunable.unit.into(),
            effect: tunable.effect.to_string(),
            meaning: tunable.meaning.into(),
        }
    }
}

impl Default for Done {
    fn default() -> Self {
        Self { since: Instant::now(), applied: 0, refused: 0 }
    }
}
