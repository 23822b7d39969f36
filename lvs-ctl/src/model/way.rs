//! The way to a real server.

use std::net::IpAddr;

use super::VlanTag;

/// How packets reach an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By a frame to this next hop.
    Hop(Hop),
    /// It is the director's own: its stack takes them.
    Local,
    /// Not, and why, for an operator to read.
    None(String),
}

/// A next hop, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Number of the interface that packets leave by.
    pub interface: u32,
    /// Its name.
    pub interface_name: String,
    /// Largest IP packet that the way takes, bytes.
    pub mtu: u32,
    /// The neighbour's link-layer address.
    pub destination: [u8; 6],
    /// The interface's own.
    pub source: [u8; 6],
    /// The director's address toward it.
    pub from: IpAddr,
    /// Whether a frame that came in by the interface may leave it in the driver (`XDP_TX`).
    pub reflects: bool,
    /// VLAN tags that frames leave with, the outermost first; two at most.
    pub tags: Vec<VlanTag>,
}
