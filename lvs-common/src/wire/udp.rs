//! The UDP header, RFC 768.

use bytemuck::{Pod, Zeroable};

use crate::net::Be16;

/// The UDP header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Udp {
    /// Source port.
    pub source: Be16,
    /// Destination port.
    pub destination: Be16,
    /// Header and data, bytes.
    pub length: Be16,
    /// Checksum; zero over IPv4 says that the sender made none.
    pub check: Be16,
}
