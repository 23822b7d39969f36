//! Map values and keys: the ABI between the program and the controller.
//!
//! One writer a map. The controller writes the rules, the kernel side what it learns:
//!
//! | map | value | by | writer |
//! | --- | --- | --- | --- |
//! | `TUNABLES` | [`Tunables`] | one | controller |
//! | `ADDRESSES` | [`Addresses`] | one | controller |
//! | `SERVICES` | [`Service`] | [`ServiceKey`] | controller |
//! | `POOLS` | [`PoolEntry`] | position | controller |
//! | `TABLES` | `u16`, a position in the pool | bucket | controller |
//! | `DESTS` | [`Dest`] | dest slot | controller |
//! | `NEXT_HOPS` | [`NextHop`] | hop slot | controller |
//! | `BELOW` | [`Below`] | interface | controller |
//! | `HOST_MACS` | 1 | [`HostMac`] | controller |
//! | `MARKS` | [`MarkRule`] | order of precedence | controller |
//! | `CONNS` | a bucket of [`conntable`](crate::conntable) | hash | program; the sweeper frees |
//! | `CONNS6` | a bucket with [ends](crate::conntable::ends) | hash | program; the sweeper frees |
//! | `LOADS` | [`Load`] | dest slot | program; the sweeper subtracts |
//! | `CURSORS` | `u64` | service slot | program; the controller seats it anew on an edit |
//! | `REMEMBERED` | [`Remembered`](crate::sched::Remembered) | [`Called`] | program; the controller forgets |
//! | `FRAGMENTS` | [`Datagram`] | [`DatagramKey`] | program |
//! | `EARLY` | [`Early`] | none: a ring | program |
//! | `FIRSTS` | [`DatagramKey`] | none: a ring | program |
//! | `HOLDS` | [`early::NOBODY`] and others | one | controller |
//! | `COUNTERS` | [`Counters`], per CPU | dest slot | program |
//! | `PATHS` | [`PathMtu`] | [hash](PathMtu::place) | program |
//! | `PROBES` | [`ProbeFlow`] | [`ProbeKey`] | program |
//! | `PROBED` | [`Probed`] | [`ProbedEnd`] | program |
//! | `REASONS` | `u64`, per CPU | [`Reason`](crate::verdict::Reason) | program |
//!
//! `TUNABLES`, `ADDRESSES`, `POOLS`, `TABLES`, `DESTS`, `NEXT_HOPS`, `MARKS`, `LOADS`, `CURSORS`, `CONNS`
//! and `CONNS6` are mapped into the controller. The slabs among them (all but the last two) are arrays of *one* value
//! that is itself an array: an element is then reached by adding to one address, without a call.

mod addresses;
mod below;
mod called;
mod counters;
mod dest;
pub mod early;
mod fragment;
mod host_mac;
mod load;
mod marks;
mod next_hop;
mod path;
mod pool;
pub mod probe;
mod service;
mod tunables;

pub use addresses::Addresses;
pub use below::Below;
pub use called::Called;
pub use counters::Counters;
pub use dest::{Dest, Method, tunnel};
pub use early::Early;
pub use fragment::{Course, DATAGRAM_S, Datagram, DatagramKey, MAX_DATAGRAMS};
pub use host_mac::HostMac;
pub use load::Load;
pub use marks::{MARK_PLACES, MAX_MARK_RULES, MarkRule, marks_that_hold, marks_word};
pub use next_hop::NextHop;
pub use path::{MAX_PATHS, PATH_S, PathMtu};
pub use pool::PoolEntry;
pub use probe::{ProbeFlow, ProbeKey, Probed, ProbedEnd};
pub use service::{Family, Service, ServiceKey};
pub use tunables::{TIMEOUTS, Tunables};

/// Places of the programs that the director's goes on in: that of each in the driver's hook, and in the
/// next place that in the generic one.
pub mod rest {
    /// The rest of the way.
    pub const REST: u32 = 0;
    /// The way of connections of IPv6.
    pub const KNOWN6: u32 = 2;
    /// The way into tunnels.
    pub const WRAP: u32 = 4;
    /// The same of packets of IPv6.
    pub const WRAP6: u32 = 6;
    /// The way of frames with VLAN tags.
    pub const TAGGED: u32 = 8;
    /// How many places there are.
    pub const PLACES: usize = 10;
}

/// Names that the kernel shows; it cuts them at fifteen bytes.
pub mod name {
    /// Connection table.
    pub const CONNS: &str = "CONNS";
    /// Connection table of IPv6.
    pub const CONNS6: &str = "CONNS6";
    /// What the program goes on in; see [`rest`](super::rest).
    pub const REST: &str = "REST";
    /// What the program leaves for its rest.
    pub const SCRATCH: &str = "SCRATCH";
    /// The same on the way of IPv6.
    pub const SCRATCH6: &str = "SCRATCH6";
    /// What routers said of the ways to tunnels' ends.
    pub const PATHS: &str = "PATHS";
    /// Tunables.
    pub const TUNABLES: &str = "TUNABLES";
    /// Address filter.
    pub const ADDRESSES: &str = "ADDRESSES";
    /// Services.
    pub const SERVICES: &str = "SERVICES";
    /// Real servers of each service, in order.
    pub const POOLS: &str = "POOLS";
    /// Tables of the schedulers that hash.
    pub const TABLES: &str = "TABLES";
    /// Real servers.
    pub const DESTS: &str = "DESTS";
    /// Next hops.
    pub const NEXT_HOPS: &str = "NEXT_HOPS";
    /// What lies below VLANs' interfaces.
    pub const BELOW: &str = "BELOW";
    /// The host's own link-layer addresses.
    pub const HOST_MACS: &str = "HOST_MACS";
    /// Rules that mark packets.
    pub const MARKS: &str = "MARKS";
    /// Connections a real server has.
    pub const LOADS: &str = "LOADS";
    /// Where a scheduler goes on.
    pub const CURSORS: &str = "CURSORS";
    /// What lblc and lblcr remember of addresses.
    pub const REMEMBERED: &str = "REMEMBERED";
    /// Datagrams that come in fragments.
    pub const FRAGMENTS: &str = "FRAGMENTS";
    /// Fragments that came before the first.
    pub const EARLY: &str = "EARLY";
    /// Datagrams whose first fragment has come.
    pub const FIRSTS: &str = "FIRSTS";
    /// Whether anybody holds fragments.
    pub const HOLDS: &str = "HOLDS";
    /// Traffic a real server had.
    pub const COUNTERS: &str = "COUNTERS";
    /// Flows of health checks.
    pub const PROBES: &str = "PROBES";
    /// What became of them.
    pub const PROBED: &str = "PROBED";
    /// Packets that were not forwarded.
    pub const REASONS: &str = "REASONS";
}

/// Dest slots: real servers of all services together, those with lingering connections included.
pub const MAX_DESTS: usize = 1 << 17;
/// Next hops in use at a time.
pub const MAX_NEXT_HOPS: usize = 1 << 16;
/// Interfaces of VLANs.
pub const MAX_BELOW: usize = 1 << 13;
/// Link-layer addresses of the host.
pub const MAX_HOST_MACS: usize = 1 << 13;
/// Places in the pools of all services together; twice the dests, since an edit writes a new pool
/// before it gives the old one up.
pub const MAX_POOL_ENTRIES: usize = 1 << 18;
/// Buckets of all schedulers' tables together: 512 of mh, or 8 192 of sh or dh.
pub const MAX_BUCKETS: usize = 1 << 21;
/// Virtual services.
pub const MAX_SERVICES: usize = 1 << 16;
/// Real servers of one service.
pub const MAX_POOL: u32 = 1024;

/// Addresses that lblc and lblcr remember, of all services together.
pub const MAX_REMEMBERED: usize = 1 << 18;

/// Declares map values: asserts size, alignment of at most eight and, by `Pod`, no padding.
macro_rules! map_type {
    ($($value:ty: $size:literal),+ $(,)?) => { $(
        const _: () = assert!(size_of::<$value>() == $size && align_of::<$value>() <= 8);
        const _: fn() = || { fn pod<T: bytemuck::Pod>() {} pod::<$value>(); };
        // SAFETY: `Pod` was asserted on the line above; aya's trait asks for the same.
        #[cfg(feature = "user")]
        unsafe impl aya::Pod for $value {}
    )+ };
}

map_type!(
    Addresses: 16_384,
    Below: 12,
    Called: 24,
    Counters: 40,
    Datagram: 128,
    DatagramKey: 40,
    Dest: 64,
    Early: 2112,
    HostMac: 8,
    Load: 32,
    MarkRule: 32,
    NextHop: 48,
    PathMtu: 24,
    PoolEntry: 8,
    ProbeFlow: 48,
    ProbeKey: 40,
    Probed: 24,
    ProbedEnd: 8,
    Service: 48,
    ServiceKey: 20,
    Tunables: 224,
);
