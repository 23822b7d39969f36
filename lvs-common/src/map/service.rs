//! A virtual service.

use core::net::IpAddr;

use bytemuck::{Pod, Zeroable};

use crate::net::{Addr, Be16, Be32};

/// Address family, as the service key tells it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct Family(u8);

impl Family {
    /// IPv4.
    pub const V4: Self = Self(4);
    /// IPv6.
    pub const V6: Self = Self(6);

    /// An address of the family, folded to four bytes: as it is, or as IPv6 folds.
    #[inline(always)]
    #[must_use]
    pub const fn fold(self, address: Addr) -> Be32 {
        if self.0 == Self::V6.0 { address.fold() } else { address.low() }
    }
}

/// What a virtual service answers to: protocol, VIP and port, or a firewall mark (see [`Self::mark`]).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct ServiceKey {
    /// VIP.
    pub address: Addr,
    /// Port; 0 takes every port that has no service of its own.
    pub port: Be16,
    /// Protocol number.
    pub protocol: u8,
    /// Family of the VIP.
    pub family: Family,
}

/// A virtual service (`ip_vs_service`), as far as a packet needs it.
///
/// Writer: controller; replaced as a whole.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Service {
    /// Slot of the service.
    pub slot: u32,
    /// First place of its pool in `POOLS`.
    pub pool: u32,
    /// Real servers in the pool.
    pub len: u32,
    /// Scheduler: the number of a [`sched::Kind`](crate::sched::Kind).
    pub scheduler: u8,
    /// Scheduler flags: a [`sched::Flags`](crate::sched::Flags).
    pub scheduler_flags: u8,
    /// [`Self::PERSISTENT`], [`Self::ONE_PACKET`].
    pub flags: u8,
    /// Zero.
    pub pad: u8,
    /// wrr: greatest common divisor of the weights.
    pub step: u32,
    /// wrr: the weight of the first round.
    pub top: u32,
    /// First bucket of its scheduler's table in `TABLES` (sh, dh, mh).
    pub table: u32,
    /// Lifetime of a template, seconds.
    pub persistence_s: u32,
    /// Which clients share a template: for IPv4 a mask as it lies in a packet, for IPv6 a prefix length.
    pub netmask: u32,
    /// lblc, lblcr: what was remembered in another era is forgotten.
    pub era: u32,
    /// The firewall mark that it answers to, or 0.
    pub mark: u32,
    /// The port that it answers to; 0 is every other.
    pub port: Be16,
    /// Zero.
    pub rest: u16,
}

impl Service {
    /// A client's connections go to one real server (`IP_VS_SVC_F_PERSISTENT`).
    pub const PERSISTENT: u8 = 1;
    /// Each UDP packet is scheduled by itself (`IP_VS_SVC_F_ONEPACKET`).
    pub const ONE_PACKET: u8 = 2;

    /// Whether all of these flags are set.
    #[inline(always)]
    #[must_use]
    pub const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

impl ServiceKey {
    /// The VIP in user space's words.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        if self.family == Family::V6 { self.address.v6().into() } else { self.address.ip() }
    }

    /// The key of a firewall mark's service.
    #[must_use]
    pub fn mark(mark: u32, family: Family) -> Self {
        let address = Addr::v4(Be32::new(mark));
        Self { address, port: Be16::new(0), protocol: 0, family }
    }
}
