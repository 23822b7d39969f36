//! The headers between a tunnel's outer IP header and the packet that it carries.

use bytemuck::{Pod, Zeroable};

use crate::net::Be16;

/// The GUE header without options (draft-ietf-intarea-gue §3.1), version 0, of a data message.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Gue {
    /// Version, control bit, and length of the options in words of four bytes.
    pub version_length: u8,
    /// What it carries; see [`protocol`](crate::net::protocol).
    pub protocol: u8,
    /// Which options there are.
    pub flags: Be16,
}

/// The GRE header's fixed part (RFC 2784 §2.1).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Gre {
    /// [`Self::CHECKSUM`] or zero, and version 0.
    pub flags: Be16,
    /// What it carries, as an Ethernet header would say it.
    pub ethertype: Be16,
}

impl Gre {
    /// [`GreChecksum`] follows.
    pub const CHECKSUM: Be16 = Be16::new(0x8000);
}

/// What follows [`Gre`] when its flag says so.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct GreChecksum {
    /// Checksum of the GRE header and all behind it.
    pub check: Be16,
    /// Zero.
    pub reserved: Be16,
}
