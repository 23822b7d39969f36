//! Rules into map contents: which slot each rule has, and which writes make a change.
//!
//! Pure. An edit of a service writes a new pool beside the old one, then switches the service: a packet
//! sees the one or the other. What is given up rests before it is used again.
//!
//! | file | idea |
//! |---|---|
//! | [`planner`] | who has which slot; a change into writes |
//! | [`adopt`] | what another controller left |
//! | `dests` | the real servers that have a slot |
//! | `places` | who of a service's real servers gets one, and who keeps it |
//! | `hops` | the next hop of each real server's address |
//! | `kinds` | which kinds of services there are |
//! | [`compile`] | one rule to one map value |
//! | [`memory`] | the eras of services that remember addresses |
//! | [`cursor`] | where rr and wrr go on after an edit |
//! | [`marks`] | rules that mark packets, in order of precedence |
//! | [`table`] | the tables of the schedulers that hash |
//! | [`slots`], [`extents`] | which places of a map are free |
#![forbid(unsafe_code)]

pub mod adopt;
pub mod compile;
pub mod cursor;
mod dests;
pub mod extents;
pub mod hops;
mod kinds;
pub mod marks;
pub mod memory;
mod places;
pub mod planner;
pub mod slots;
pub mod table;

use std::net::IpAddr;

use lvs_common::map::{Dest, NextHop, PoolEntry, Service, ServiceKey};

pub use compile::Unsupported;
pub use planner::Planner;

use crate::model::Prefix;

/// One write to the maps. They are made in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A real server's slot begins anew: its counters and load are zero.
    Fresh(u32),
    /// The value of a real server's slot.
    Dest(u32, Dest),
    /// The value of a next hop's slot, which nothing points to yet.
    NextHop(u32, NextHop),
    /// Places of the pools, from the first, which nothing points to yet.
    Pool(u32, Vec<PoolEntry>),
    /// Buckets of a scheduler's table, from the first, which nothing points to yet.
    Table(u32, Vec<u16>),
    /// Where the scheduler of a service's slot goes on.
    Cursor(u32, u64),
    /// Packets to these addresses are looked at.
    Vips(Prefix),
    /// Packets from this address may be replies.
    Rip(IpAddr),
    /// Which kinds of services there are: [`Tunables::kinds`](lvs_common::map::Tunables::kinds).
    Kinds(u32),
    /// No address is anybody's any more.
    NoAddresses,
    /// The switch: packets of the key find this service.
    Service(ServiceKey, Service),
    /// The switch: packets of the key find none.
    NoService(ServiceKey),
}

/// A change that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The program cannot carry the rule out.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A map is full.
    #[error("no room for another {what}, only for {capacity}")]
    NoRoom {
        /// What of.
        what: &'static str,
        /// How many fit.
        capacity: u32,
    },
    /// A service has more real servers than a scheduler looks at.
    #[error("a service holds at most {0} real servers")]
    TooMany(u32),
}
