//! How the data plane is: what `lvs-ctl status` shows beside the rules.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The data plane's own report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PlaneStatus {
    /// The interfaces it takes packets from.
    pub interfaces: Vec<InterfaceStatus>,
    /// The way to each real server.
    pub next_hops: Vec<NextHopStatus>,
    /// How full its tables are.
    pub tables: Vec<TableStatus>,
    /// How often packets left the path early, by reason; reasons that never happened may be left out.
    pub reasons: Vec<ReasonCount>,
    /// Health checks through services, if that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probing: Option<ProbingStatus>,
    /// What the sweeper saw last; nothing before its first sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweeps: Option<Sweeps>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// `native` or `generic`.
    pub mode: String,
    /// Why that mode.
    pub why: String,
}

/// The way to one real server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextHopStatus {
    /// The real server.
    #[schema(value_type = String)]
    pub dest: IpAddr,
    /// The interface that packets leave by, if known.
    pub interface: Option<String>,
    /// The MAC address that they go to, if known.
    pub mac: Option<String>,
    /// VLANs that packets leave tagged for, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<u16>,
    /// Whether it is the director itself, whose own stack takes its packets.
    #[serde(default)]
    pub local: bool,
    /// Why packets cannot go there, if they cannot.
    pub unresolved: Option<String>,
}

/// Health checks through services.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProbingStatus {
    /// The device that they leave by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The networks of the addresses that stand in for real servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stand_ins: Vec<String>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One table of bounded size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableStatus {
    /// Its name.
    pub name: String,
    /// Entries in use.
    pub used: u64,
    /// Entries that fit.
    pub capacity: u64,
}

/// What the sweeper, which ends connections, has done, and what it saw last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Sweeps {
    /// Sweeps since the controller started.
    pub runs: u64,
    /// How long all of them took, microseconds.
    pub total_us: u64,
    /// How long the last one took, microseconds.
    pub last_us: u64,
    /// Connections that were over and are gone.
    pub expired: u64,
    /// Connections that stood in the table after the last sweep, by state; states without any are
    /// left out.
    pub states: Vec<StateCount>,
}

/// How many connections are in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateCount {
    /// The state's IPVS name, such as `ESTABLISHED`.
    pub state: String,
    /// Connections.
    pub connections: u64,
}

/// How often a reason ended a packet's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonCount {
    /// The reason's name.
    pub reason: String,
    /// What it means.
    pub meaning: String,
    /// Packets.
    pub packets: u64,
}

impl TableStatus {
    /// From this share on an operator should know, percent: a hashed table begins to refuse entries
    /// before it is full.
    pub const ALARM_PERCENT: u64 = 60;

    /// The share in use, whole percent.
    #[must_use]
    pub fn percent(&self) -> u64 {
        (self.used * 100).checked_div(self.capacity).unwrap_or(100)
    }

    /// Whether it is fuller than it should be.
    #[must_use]
    pub fn is_alarming(&self) -> bool {
        self.percent() >= Self::ALARM_PERCENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_alarms_from_six_tenths_on() {
        let table = |used, capacity| TableStatus { name: String::new(), used, capacity };
        assert!(!table(599, 1000).is_alarming());
        assert!(table(600, 1000).is_alarming());
        assert!(table(0, 0).is_alarming(), "a table without room takes nothing");
    }
}
