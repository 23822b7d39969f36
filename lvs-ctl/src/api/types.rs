//! Requests and answers of the controller's API: plain structs, written as JSON.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use super::health::{
    CheckAnswer, CheckRequest, DestState, HealthListing, RealServer, ResetAnswer, ServiceState,
};
pub use crate::{
    config::Step,
    director::{
        ChangeRequest, ConnectionQuery, DestEntry, Event, ListQuery, Listing, MarkListing,
        ServiceEntry, Settings, Status, TunableEntry, TunableListing,
    },
    model::{
        Change, Checksum, Connection, Counters, DEFAULT_SCHEDULER, Daemons, Dest, DestAddr,
        EngineData, Family, InterfaceStatus, Load, MarkRule, Method, Netmask, NextHopStatus,
        Origin, Peer, Persistence, PlaneStatus, Ports, Prefix, Protocol, Rates, ReasonCount,
        SCHEDULERS, SchedulerFlags, Service, ServiceId, SyncDaemon, SyncRequest, SyncRole,
        TableStatus, Timeouts, TunableValue, Tunnel,
        health::{
            Admin, AllDown, CheckReport, CheckSpec, DestHealth, Effective, Gate, Health,
            LastResult, OnDown, ServiceHealth, Span, Via,
        },
    },
    reload::Applied,
};
use crate::{
    director::{Changed, DirectorError},
    model::{Invalid, service_text},
};

/// What became of a list of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeAnswer {
    /// The table's revision now.
    pub revision: u64,
    /// How many changes were made.
    pub applied: usize,
    /// The changes that were not, in order.
    pub refused: Vec<Refused>,
}

/// A change that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refused {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Why.
    pub problem: Problem,
}

/// Why something was not done: the body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable word for programs.
    pub code: String,
    /// ipvsadm's words for it, where it has some.
    pub message: String,
    /// More than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The place of the refused change in an all-or-nothing request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
}

/// A [`ListQuery`] as query parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    /// Protocol of the one service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Its VIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Or its firewall mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fwmark: Option<u32>,
    /// And the mark's family; IPv4 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// With counters.
    pub stats: bool,
    /// With rates.
    pub rates: bool,
}

/// Which health is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HealthQuery {
    /// Only of this service: `tcp:192.0.2.1:80`, `fwmark:7`.
    #[serde(with = "service_text::optional", skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub service: Option<ServiceId>,
}

/// No query parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

impl From<Changed> for ChangeAnswer {
    fn from(changed: Changed) -> Self {
        let refused = changed.refused.into_iter();
        Self {
            revision: changed.revision,
            applied: changed.applied,
            refused: refused
                .map(|(index, invalid)| Refused { index, problem: Problem::from(&invalid) })
                .collect(),
        }
    }
}

impl Problem {
    /// A problem without more to say.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), detail: None, index: None }
    }
}

impl From<&Invalid> for Problem {
    fn from(invalid: &Invalid) -> Self {
        let detail = invalid.detail();
        Self { detail, ..Self::new(invalid.code(), invalid.to_string()) }
    }
}

impl From<&DirectorError> for Problem {
    fn from(error: &DirectorError) -> Self {
        let text = error.to_string();
        match error {
            DirectorError::Refused { index, invalid } => {
                Self { index: Some(*index), ..Self::from(invalid) }
            }
            DirectorError::NoService => Self::from(&Invalid::NoService),
            DirectorError::Stale { .. } => Self::new("stale", text),
            // ipvsadm's word for a kernel that has no room.
            DirectorError::DataPlane(_) => {
                Self { detail: Some(text), ..Self::new("data-plane", "Memory allocation problem") }
            }
            DirectorError::State(_) => {
                Self { detail: Some(text), ..Self::new("state", "Memory allocation problem") }
            }
            DirectorError::Stopped => Self::new("stopped", text),
        }
    }
}

impl From<ListQuery> for ListParameters {
    fn from(query: ListQuery) -> Self {
        let base = Self { stats: query.stats, rates: query.rates, ..Self::default() };
        match query.service {
            None => base,
            Some(ServiceId::Address { protocol, address, port }) => {
                Self { protocol: Some(protocol), address: Some(address), port: Some(port), ..base }
            }
            Some(ServiceId::Mark { mark, family }) => {
                Self { fwmark: Some(mark), family: Some(family), ..base }
            }
        }
    }
}

impl TryFrom<ListParameters> for ListQuery {
    type Error = &'static str;

    fn try_from(parameters: ListParameters) -> Result<Self, Self::Error> {
        let ListParameters { protocol, address, port, fwmark, family, stats, rates } = parameters;
        let service = match (protocol, address, port, fwmark, family) {
            (None, None, None, None, None) => None,
            (Some(protocol), Some(address), Some(port), None, None) => {
                Some(ServiceId::Address { protocol, address, port })
            }
            (None, None, None, Some(mark), family) => {
                Some(ServiceId::Mark { mark, family: family.unwrap_or(Family::Ipv4) })
            }
            _ => return Err("one service is protocol, address and port, or fwmark and family"),
        };
        Ok(Self { service, stats, rates })
    }
}
