//! The rules as data: virtual services, real servers, and the changes that IPVS allows on them.
//!
//! Pure: nothing here does input or output. [`Table::apply`] answers as the kernel would.

#![forbid(unsafe_code)]

mod change;
mod check;
mod dest;
pub mod health;
mod host;
mod invalid;
mod mark;
mod network;
mod pool;
mod prefix;
mod scheduler;
mod service;
pub mod service_text;
mod settings;
mod signs;
mod snapshot;
mod stand_ins;
mod status;
mod table;
pub mod text;
mod traffic;
pub mod tunables;
mod way;

pub use self::{
    change::Change,
    dest::{Checksum, Dest, DestAddr, Method, Tunnel},
    host::{Host, LinkFacts, LoopbackOnly},
    invalid::{Invalid, Why},
    mark::{MarkRule, Marks, Ports, PortsError, Precedence},
    network::{Carrier, Hook, Interface, Leaving, Network, NoLeaving, VlanTag},
    pool::{Pool, PoolEntry},
    prefix::{Prefix, PrefixError},
    scheduler::{DEFAULT_SCHEDULER, ENGINES, SCHEDULERS},
    service::{Family, Netmask, Persistence, Protocol, SchedulerFlags, Service, ServiceId},
    settings::{Daemons, SyncDaemon, SyncRequest, SyncRole, Timeouts},
    signs::{Sign, Signs},
    snapshot::{Snapshot, SnapshotDest, SnapshotError, SnapshotService},
    stand_ins::StandIns,
    status::{
        InterfaceStatus, NextHopStatus, PlaneStatus, ProbingStatus, ReasonCount, StateCount,
        Sweeps, TableStatus,
    },
    table::{DestRules, Effect, Origin, Table, VirtualService},
    traffic::{Connection, Counters, EngineData, Load, Peer, Rates},
    tunables::{Tunable, TunableEffect, TunableRange, TunableValue, Tunables},
    way::{Hop, Way},
};
