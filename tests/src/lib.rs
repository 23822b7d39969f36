//! The lab: whole clusters (client, director, real servers) in network namespaces of one machine.
//!
//! The end-to-end tests and `cargo xtask demo` stand on it. It knows nothing of the product but the
//! command line of `lvs-ctl` ([`director`]). Everything in it needs root, on Linux, with `ip` (iproute2).
//!
//! From the ground up:
//!
//! | module | what |
//! |---|---|
//! | [`lab`] | one lab: its number, its directory, its command log; what a killed run left is removed |
//! | [`netns`] | a network namespace: closures and commands inside it |
//! | [`process`] | children that never outlive us |
//! | [`offload`] | checksum offload and GRO of an interface |
//! | [`topology`], [`layout`] | hosts, switches, links; the clusters of the operator's manual |
//! | [`serve`], [`web`] | the real servers' services, and starting them |
//! | [`devices`] | which devices the kernel has |
//! | [`decap`], [`tunnel`] | their ends of tunnels, and starting them |
//! | [`realserver`] | their hosts set up by `lvs-ctl realserver` |
//! | [`client`] | real TCP, HTTP, UDP and ICMP clients |
//! | [`split`] | who answered how often |
//! | [`director`] | `lvs-ctl run` in the director's namespace |
//! | [`listing`], [`status`] | what its commands print, as values |
//! | [`capture`] | frames seen at an interface |
//! | [`mod@assert`] | waiting with a deadline |
//!
//! Beside it stands the [`rig`]: the loaded program alone, frame by frame, on a clock that is moved by hand.
//!
//! A topology is torn down when it is dropped, on SIGINT, SIGTERM and SIGHUP, and, after SIGKILL, by
//! the next process that makes one.

pub mod assert;
pub mod capture;
pub mod client;
pub mod content;
pub mod decap;
pub mod devices;
pub mod director;
pub mod lab;
pub mod layout;
pub mod listing;
pub mod netns;
pub mod nginx;
pub mod offload;
pub mod pieces;
mod plan;
pub mod process;
pub mod realserver;
mod report;
mod residue;
pub mod rig;
pub mod serve;
pub mod split;
pub mod status;
pub mod topology;
pub mod tunnel;
pub mod web;

/// The parts that nearly every user of the lab names.
pub mod prelude {
    pub use crate::{
        assert::eventually,
        capture::{Capture, Frame},
        client::Client,
        director::{Director, Mode},
        layout,
        listing::{Connection, Real, Stats},
        offload::Offload,
        realserver::RealServer,
        split::Split,
        status::Status,
        topology::{Host, HostPlan, LinkPlan, Plan, Topology},
        tunnel::TunnelEnd,
        web::{Services, Web},
    };
}
