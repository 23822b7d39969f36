//! A real server of one service.

use bytemuck::{Pod, Zeroable};

use super::ServiceKey;
use crate::{
    net::{Addr, Be16},
    sched::Thresholds,
};

/// How packets reach a real server; numbers as in the kernel's connection flags.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Method(pub u8);

impl Method {
    /// NAT (`-m`): addresses and ports are rewritten, replies pass the director.
    pub const MASQ: Self = Self(0);
    /// TUN (`-i`): packets go inside others.
    pub const TUNNEL: Self = Self(2);
    /// DR (`-g`): only the link-layer address changes.
    pub const DIRECT_ROUTE: Self = Self(3);
}

/// Bits of [`Dest::tunnel`]: a kind, and whether there is a checksum.
pub mod tunnel {
    /// The kind's bits.
    pub const KIND: u8 = 3;
    /// IP in IP (RFC 2003).
    pub const IPIP: u8 = 0;
    /// Generic UDP encapsulation (draft-ietf-intarea-gue).
    pub const GUE: u8 = 1;
    /// Generic routing encapsulation (RFC 2784).
    pub const GRE: u8 = 2;
    /// The outer checksum is made (`--tun-csum`).
    pub const CHECKSUM: u8 = 4;
    /// Remote checksum offload (`--tun-remcsum`); the outer checksum is made as well.
    pub const REMOTE_CHECKSUM: u8 = 8;
}

/// One real server within one virtual service (`ip_vs_dest`). Its slot is its name: connections hold
/// it, and it is given to another only after the last of them has ended.
///
/// Writer: controller. A published slot changes one aligned word at a time.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Dest {
    /// RIP.
    pub address: Addr,
    /// Slot in `NEXT_HOPS`.
    pub next_hop: u32,
    /// [`Self::USED`], and [`Self::AVAILABLE`], [`Self::PROBED`] or neither; zero in a free slot.
    pub flags: u32,
    /// Upper connection threshold, `-x`; 0 is none.
    pub upper: u32,
    /// Lower connection threshold, `-y`; 0 is none.
    pub lower: u32,
    /// The service that it belongs to.
    pub service: ServiceKey,
    /// Port; 0 takes the packet's.
    pub port: Be16,
    /// For new connections; existing ones keep theirs.
    pub method: Method,
    /// How a tunnel wraps packets: see [`tunnel`].
    pub tunnel: u8,
    /// Weight, as in the pool; 0 is quiesced.
    pub weight: u32,
    /// UDP port that a tunnel sends to.
    pub tunnel_port: Be16,
    /// Position in its service's pool.
    pub position: u16,
}

impl Dest {
    /// The slot is somebody's.
    pub const USED: u32 = 2;

    /// The real server is in its service's list. Otherwise connections to it are kept, but their
    /// packets are dropped until it is added again.
    pub const AVAILABLE: u32 = 1;

    /// The real server is in no list, and connections are as to one that is gone; but health checks
    /// reach it.
    pub const PROBED: u32 = 4;

    /// The thresholds, as the rule about them wants them.
    #[inline(always)]
    #[must_use]
    pub const fn thresholds(&self) -> Thresholds {
        Thresholds { upper: self.upper, lower: self.lower }
    }

    /// Whether the real server is in its service's list.
    #[inline(always)]
    #[must_use]
    pub const fn is_available(&self) -> bool {
        self.flags & Self::AVAILABLE != 0
    }

    /// Whether health checks reach the real server.
    #[inline(always)]
    #[must_use]
    pub const fn is_probed(&self) -> bool {
        self.flags & (Self::AVAILABLE | Self::PROBED) != 0
    }
}
