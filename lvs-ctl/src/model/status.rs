//! How the data plane is: what `lvs-ctl status` shows beside the rules.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The data plane's own report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// `native` or `generic`.
    pub mode: String,
    /// Why that mode.
    pub why: String,
}

/// The way to one real server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHopStatus {
    /// The real server.
    pub dest: IpAddr,
    /// The interface that packets leave by, if known.
    pub interface: Option<String>,
    /// The MAC address that they go to, if known.
    pub mac: Option<String>,
    /// Why packets cannot go there, if they cannot.
    pub unresolved: Option<String>,
}

/// One table of bounded size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStatus {
    /// Its name.
    pub name: String,
    /// Entries in use.
    pub used: u64,
    /// Entries that fit.
    pub capacity: u64,
}

/// How often a reason ended a packet's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// The reason's name.
    pub reason: String,
    /// What it means.
    pub meaning: String,
    /// Packets.
    pub packets: u64,
}
