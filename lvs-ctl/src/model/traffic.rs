//! What the data plane reports, in the model's words.

use std::{borrow::Cow, net::IpAddr, ops};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Protocol;

/// How many connections a real server holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Load {
    /// Established ones, from the SYN on.
    pub active: u32,
    /// The others.
    pub inactive: u32,
    /// Persistence templates.
    pub persistent: u32,
}

/// What passed since the real server exists. Bytes are of IP packets, without link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Counters {
    /// Connections scheduled.
    pub conns: u64,
    /// Packets from clients.
    pub in_packets: u64,
    /// Packets to clients that passed the director.
    pub out_packets: u64,
    /// Bytes from clients.
    pub in_bytes: u64,
    /// Bytes to clients that passed the director.
    pub out_bytes: u64,
}

/// Rates a second, as the kernel's estimator rounds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Rates {
    /// Connections.
    pub cps: u64,
    /// Packets from clients.
    pub in_pps: u64,
    /// Packets to clients.
    pub out_pps: u64,
    /// Bytes from clients.
    pub in_bps: u64,
    /// Bytes to clients.
    pub out_bps: u64,
}

/// One entry of the connection table: a connection, or a persistence template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connection {
    /// The protocol; `None` is a template of a firewall-marked service, which takes every protocol.
    pub protocol: Option<Protocol>,
    /// The state's IPVS name, such as `ESTABLISHED`.
    #[schema(value_type = String)]
    pub state: Cow<'static, str>,
    /// The client; port 0 in templates.
    pub client: Peer,
    /// The VIP; a firewall mark is the address's number.
    #[serde(rename = "virtual")]
    pub vip: Peer,
    /// The real server.
    pub dest: Peer,
    /// Until it is forgotten, whole seconds, rounded down.
    pub expires_s: u32,
    /// The persistence engine that named it, and the name it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineData>,
}

/// An address and port of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Peer {
    /// The address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// The port, host order.
    pub port: u16,
}

/// What a persistence engine knows of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EngineData {
    /// The engine's name.
    pub name: String,
    /// What it read from the packet, such as a SIP Call-ID.
    pub data: String,
}

impl ops::Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }
}

impl ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Counters {
    /// What passed since `zero`; nothing where a counter is below it.
    #[must_use]
    pub fn since(self, zero: Self) -> Self {
        self.zip(zero, u64::saturating_sub)
    }

    /// Whether none of the counters is below `other`'s.
    #[must_use]
    pub fn at_least(self, other: Self) -> bool {
        other.since(self) == Self::default()
    }

    fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            conns: with(self.conns, other.conns),
            in_packets: with(self.in_packets, other.in_packets),
            out_packets: with(self.out_packets, other.out_packets),
            in_bytes: with(self.in_bytes, other.in_bytes),
            out_bytes: with(self.out_bytes, other.out_bytes),
        }
    }
}
