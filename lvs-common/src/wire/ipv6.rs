//! The IPv6 header, RFC 8200 §3, and what its extension headers (§4) have in common.

use bytemuck::{Pod, Zeroable};

use crate::net::{Addr, Be16, Be32};

/// The IPv6 header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Ipv6 {
    /// Version (four high bits), traffic class (eight), flow label.
    pub version_class_flow: Be32,
    /// Extension headers and payload, bytes.
    pub payload_length: Be16,
    /// What follows; see [`protocol`](crate::net::protocol) and [`Extension`].
    pub next_header: u8,
    /// Hops left.
    pub hop_limit: u8,
    /// Source address.
    pub source: Addr,
    /// Destination address.
    pub destination: Addr,
}

impl Ipv6 {
    /// Whether this is version 6.
    #[inline(always)]
    #[must_use]
    pub const fn is_v6(&self) -> bool {
        self.version_class_flow.get() >> 28 == 6
    }

    /// Traffic class.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "eight bits")]
    pub const fn class(&self) -> u8 {
        (self.version_class_flow.get() >> 20) as u8
    }
}

/// How an extension header begins: hop-by-hop options, a route, or options for the destination.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Extension {
    /// What follows it.
    pub next_header: u8,
    /// Its length in units of eight bytes, the first not counted.
    pub length: u8,
    /// Of a route: its type. Of options: the first one's.
    pub kind: u8,
    /// Of a route: stops to go.
    pub segments_left: u8,
}

/// The header of a fragment, §4.5.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Fragment6 {
    /// What follows it in the first fragment.
    pub next_header: u8,
    /// Nothing.
    pub reserved: u8,
    /// Offset in units of eight bytes (thirteen high bits), and whether more fragments follow (the lowest).
    pub offset: Be16,
    /// Identification.
    pub id: Be32,
}

impl Fragment6 {
    /// Where its part of the datagram begins, bytes.
    #[inline(always)]
    #[must_use]
    pub const fn start(&self) -> u16 {
        self.offset.get() & !7
    }

    /// Whether more fragments follow.
    #[inline(always)]
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.offset.get() & 1 != 0
    }
}

impl Extension {
    /// Number of hop-by-hop options (RFC 8200 §4.3).
    pub const HOP_BY_HOP: u8 = 0;
    /// Number of a route (§4.4).
    pub const ROUTING: u8 = 43;
    /// Number of a fragment's header (§4.5).
    pub const FRAGMENT: u8 = 44;
    /// Number of options for the destination (§4.6).
    pub const DESTINATION: u8 = 60;

    /// Bytes of the header.
    #[inline(always)]
    #[must_use]
    pub const fn len(&self) -> usize {
        (self.length as usize + 1) * 8
    }

    /// Never: a header has eight bytes at least.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }
}
