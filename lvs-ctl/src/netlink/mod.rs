//! What the kernel's networking tells the director: the next hop of each real server, and the
//! facts of the interfaces that carry the program.
//!
//! The packet program looks no route up. [`Resolver`] does it for a changing set of addresses and
//! says each time an answer changes; [`Rtnetlink`] asks the kernel, [`Fixed`] a table.
//!
//! | file | idea |
//! |---|---|
//! | [`rtnetlink`] | the kernel's resolver: watches, resolves again, reports |
//! | `lookup` | one address to its resolution: route, link, neighbour |
//! | `route`, `neighbour` | what is asked of the kernel about each, and what its answer means |
//! | `changes` | which of the watched addresses a kernel notification concerns |
//! | [`links`] | all interfaces, whenever they change |
//! | [`link`], `generic`, [`offload`], [`facts`] | interfaces: identity, features, driver, veth peers |
//! | [`mode`] | native or generic XDP, and why |
//! | [`probe`] | the device of health checks |
//! | [`sysctl`] | settings that would eat a director's packets |
//! | `message`, `socket` | netlink itself |
//!
//! Messages are taken apart by hand: a decoder that rejects a message for an attribute it does not
//! know loses a notification, or waits for ever for an answer that came.
#![forbid(unsafe_code)]

pub mod addresses;
pub mod facts;
pub mod fixed;
pub mod link;
pub mod links;
pub mod mode;
pub mod offload;
pub mod probe;
pub mod rtnetlink;
pub mod sysctl;

mod changes;
mod generic;
mod lookup;
mod message;
mod neighbour;
mod route;
mod socket;

use std::{collections::BTreeSet, fmt, net::IpAddr};

pub use fixed::Fixed;
pub use rtnetlink::Rtnetlink;

/// An Ethernet address, in the order it lies in a frame.
pub type MacAddress = [u8; 6];

/// Keeps the way to a set of addresses known.
///
/// The set is replaced as a whole. Every address in it is reported once when it enters (as soon as
/// its answer is known: up to three seconds for a host that does not answer) and again whenever
/// the answer changes. An address that stays in the set is not reported anew; one that leaves is
/// forgotten, so a report about it may still be on its way and is to be ignored.
pub trait Resolver: Send {
    /// Replaces the set of watched addresses. Never waits.
    fn watch(&mut self, addresses: BTreeSet<IpAddr>);

    /// Waits for the next changes; what changed together comes together, and is never empty.
    /// `None`: the resolver has ended, and nothing will be reported any more.
    ///
    /// Dropping the future loses nothing.
    fn changed(&mut self) -> impl Future<Output = Option<Vec<Report>>> + Send;
}

/// An address has this resolution now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The watched address.
    pub address: IpAddr,
    /// How it is reached.
    pub resolution: Resolution,
}

/// How an address is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// By a frame to this next hop.
    Resolved(NextHop),
    /// It is an address of this machine.
    Local,
    /// Not at all, and why.
    Unresolved(Why),
}

/// Where a frame for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// Index of the interface it leaves by.
    pub interface: u32,
    /// Name of that interface.
    pub interface_name: String,
    /// The kernel's preferred source address toward the destination; unspecified (`0.0.0.0`, `::`)
    /// when this machine has none of the family.
    pub source: IpAddr,
    /// The gateway, unless the address is on the link. Of either family.
    pub gateway: Option<IpAddr>,
    /// The interface's own MAC.
    pub src_mac: MacAddress,
    /// MAC of the gateway or of the address itself.
    pub dst_mac: MacAddress,
    /// Largest packet, in bytes from the IP header on, that the way takes.
    pub mtu: u32,
}

/// Why an address cannot be reached, for an operator to read after "ADDRESS: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The routing tables know no way.
    #[error("no route")]
    NoRoute,
    /// A route is there to refuse.
    #[error("the route to it is {0}")]
    Barred(Barrier),
    /// Broadcast, multicast or anycast.
    #[error("not the address of one host")]
    NotUnicast,
    /// The interface it was reached by is down.
    #[error("interface {interface} is down")]
    InterfaceDown {
        /// Its name.
        interface: String,
    },
    /// The interface has no link.
    #[error("interface {interface} has no carrier")]
    NoCarrier {
        /// Its name.
        interface: String,
    },
    /// Nobody answers for the gateway or the address.
    #[error("{neighbour} does not answer {} on {interface}", question(neighbour))]
    NoNeighbour {
        /// The gateway, or the address itself on the link.
        neighbour: IpAddr,
        /// Name of the interface.
        interface: String,
    },
    /// The way leads over a device without MACs (a tunnel, loopback).
    #[error("interface {interface} carries no Ethernet frames")]
    NotEthernet {
        /// Its name.
        interface: String,
    },
    /// The kernel refused to say.
    #[error("the kernel refused {asked}: {error}")]
    Refused {
        /// The question.
        asked: &'static str,
        /// The system's error.
        error: String,
    },
}

/// The type of a route that refuses, as `ip route` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Drops silently.
    Blackhole,
    /// Answers "host unreachable".
    Unreachable,
    /// Answers "administratively prohibited".
    Prohibit,
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
        })
    }
}

/// How a neighbour of this family is asked for.
const fn question(neighbour: &IpAddr) -> &'static str {
    match neighbour {
        IpAddr::V4(_) => "ARP",
        IpAddr::V6(_) => "neighbour discovery",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_as_a_sentence() {
        let silent = Why::NoNeighbour {
            neighbour: "192.0.2.9".parse().unwrap(),
            interface: "eth1".to_owned(),
        };
        assert_eq!(silent.to_string(), "192.0.2.9 does not answer ARP on eth1");
        assert_eq!(Why::Barred(Barrier::Blackhole).to_string(), "the route to it is blackhole");
    }
}
