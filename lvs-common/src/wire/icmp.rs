//! The header of ICMP's errors (RFC 792; RFC 4443 §2.1 for IPv6).

use bytemuck::{Pod, Zeroable};

use crate::net::{Be16, Be32};

/// The header, behind which an error quotes the packet that it is about.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code: what kind of the type.
    pub code: u8,
    /// Checksum of the header and all behind it.
    pub check: Be16,
    /// What depends on type and code: the next link's MTU, for instance.
    pub info: Be32,
}

impl Icmp {
    /// Destination unreachable (RFC 792).
    pub const UNREACHABLE: u8 = 3;
    /// Of [`Self::UNREACHABLE`]: nobody waits at the port.
    pub const PORT: u8 = 3;
    /// Of [`Self::UNREACHABLE`]: fragmentation is needed, but forbidden; the MTU is told (RFC 1191 §4).
    pub const TOO_LONG: u8 = 4;
    /// Source quench.
    pub const SOURCE_QUENCH: u8 = 4;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
}
