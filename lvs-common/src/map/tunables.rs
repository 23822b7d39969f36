//! What the program is told at run time.

use bytemuck::{Pod, Zeroable};

use crate::net::Be32;

/// Timeouts that the program knows: one a connection state; see [`tcp_state`](crate::tcp_state).
pub const TIMEOUTS: usize = 32;

/// Settings of the whole director.
///
/// Writer: controller.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Tunables {
    /// [`ABI_VERSION`](crate::ABI_VERSION) of these maps.
    pub abi_version: u32,
    /// Added to the clock, ticks.
    pub clock_offset: u32,
    /// Ticks a second of the connection clock.
    pub ticks_per_second: u32,
    /// Buckets of the connection table.
    pub buckets: u32,
    /// Secret of the connection table's hash.
    pub seed: [u64; 2],
    /// Lifetime of a connection after a packet that leaves it in the state, ticks.
    pub timeouts: [u32; TIMEOUTS],
    /// `conn_reuse_mode`, as in IPVS.
    pub conn_reuse_mode: u32,
    /// `sloppy_tcp`, as in IPVS: a connection may begin with any segment but RST.
    pub sloppy_tcp: u32,
    /// `expire_nodest_conn`, as in IPVS.
    pub expire_nodest_conn: u32,
    /// `expire_quiescent_template`, as in IPVS.
    pub expire_quiescent_template: u32,
    /// 1 while `secure_tcp`'s state table holds.
    pub secure_tcp: u32,
    /// `lblc_expiration`, ticks.
    pub lblc_expiration: u32,
    /// `lblcr_expiration`, ticks.
    pub lblcr_expiration: u32,
    /// Rules in `MARKS` that hold: the first in the high half, how many in the low one.
    pub marks: u32,
    /// Kinds of services there are, beside those that a packet finds by its own port:
    /// [`Self::FTP`], [`Self::ANY_PORT`].
    pub kinds: u32,
    /// `sloppy_sctp`, as in IPVS: a connection may begin with any chunk but ABORT.
    pub sloppy_sctp: u32,
    /// 1 once `HOST_MACS` holds every link-layer address of the host.
    pub knows_macs: u32,
    /// Number of the interface that answers to health checks leave by
    /// ([`probe::PEER`](super::probe::PEER)); 0: nobody checks through services.
    pub probes: u32,
    /// The network of IPv4's stand-ins; see [`probe`](super::probe).
    pub stand_ins: Be32,
    /// That of IPv6's, its first half.
    pub stand_ins6: [Be32; 2],
    /// Zero.
    pub pad: u32,
}

impl Tunables {
    /// Some service has TCP port 21, and with it the ports of its data connections.
    pub const FTP: u32 = 1;
    /// Some service has port 0.
    pub const ANY_PORT: u32 = 2;
}

impl Tunables {
    /// So many ticks, nanoseconds.
    #[inline(always)]
    #[must_use]
    pub fn nanoseconds(&self, ticks: u64) -> u64 {
        const SECOND_NS: u32 = 1_000_000_000;
        // An unknown clock's tick is nothing.
        let tick_ns = SECOND_NS.checked_div(self.ticks_per_second).unwrap_or(0);
        ticks.wrapping_mul(tick_ns.into())
    }
}
