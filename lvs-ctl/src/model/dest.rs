//! A real server within one virtual service (`struct ip_vs_dest`).

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What identifies a real server within its service.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct DestAddr {
    /// The RIP.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// The real server's port, host order.
    pub port: u16,
}

/// A real server as the operator describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dest {
    /// What identifies it.
    pub addr: DestAddr,
    /// How packets get there.
    pub method: Method,
    /// Its share; 0 means quiesced. At most `i32::MAX`.
    pub weight: u32,
    /// New connections stop at this many; 0 means no limit.
    #[serde(default)]
    pub upper_threshold: u32,
    /// A full real server takes new connections again below this many; 0 means three quarters.
    #[serde(default)]
    pub lower_threshold: u32,
}

/// The forwarding method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Addresses and ports are rewritten both ways (NAT).
    Masq,
    /// The packet goes unchanged to the real server's MAC address.
    DirectRoute,
    /// The packet goes inside another one.
    Tunnel(Tunnel),
    /// The director itself is the real server.
    Local,
}

/// What the outer packet of a tunnel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Tunnel {
    /// IP in IP.
    Ipip,
    /// Generic UDP encapsulation.
    Gue {
        /// UDP destination port, host order, never 0.
        port: u16,
        /// The outer checksum.
        checksum: Checksum,
    },
    /// Generic routing encapsulation; `Checksum::Remote` does not exist here.
    Gre {
        /// The outer checksum.
        checksum: Checksum,
    },
}

/// The checksum of a tunnel's outer header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// None (`--tun-nocsum`).
    None,
    /// Computed (`--tun-csum`).
    Full,
    /// Remote checksum offload (`--tun-remcsum`).
    Remote,
}

impl fmt::Display for DestAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}
