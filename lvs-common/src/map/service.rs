//! A virtual service.

use bytemuck::{Pod, Zeroable};

use crate::net::{Addr, Be16};

/// Address family, as the service key tells it.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct Family(u8);

impl Family {
    /// IPv4.
    pub const V4: Self = Self(4);
}

/// What a virtual service answers to: protocol, VIP and port.
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
    /// Zero.
    pub pad: [u8; 2],
    /// wrr: greatest common divisor of the weights.
    pub step: u32,
    /// wrr: the weight of the first round.
    pub top: u32,
    /// First bucket of its scheduler's table in `TABLES` (sh, dh, mh).
    pub table: u32,
    /// Zero.
    pub rest: [u32; 5],
}
