//! The link-layer addresses that frames for the director have.

use bytemuck::{Pod, Zeroable};

use crate::net::Mac;

/// An address of some interface of the host: one that carries the program, or another, which stands on
/// it perhaps (a VLAN's, a VRRP router's).
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
pub struct HostMac {
    /// The address.
    pub mac: Mac,
    /// Zero.
    pub pad: [u8; 2],
}

impl HostMac {
    /// As the map has it.
    #[inline(always)]
    #[must_use]
    pub const fn new(mac: Mac) -> Self {
        Self { mac, pad: [0; 2] }
    }
}
