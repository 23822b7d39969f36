//! Datagrams that come in fragments: whose they are, and what has come of each.

use bytemuck::{Pod, Zeroable};

use super::Method;
use crate::{
    net::{Addr, Be16, Be32},
    pieces::Pieces,
};

/// Datagrams known at a time; the one that nobody asked for longest gives way.
pub const MAX_DATAGRAMS: usize = 1 << 14;

/// How long a datagram is known, seconds (`net.ipv4.ipfrag_time`).
pub const DATAGRAM_S: u32 = 30;

/// What the fragments of a datagram have in common (RFC 791 §3.2, RFC 8200 §4.5).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct DatagramKey {
    /// Source address.
    pub source: Addr,
    /// Destination address.
    pub destination: Addr,
    /// Identification; of IPv4, two bytes of it.
    pub id: Be32,
    /// What the datagram carries; 0 in IPv6, whose later fragments do not know.
    pub protocol: u8,
    /// Zero.
    pub pad: [u8; 3],
}

/// What is done with a datagram's fragments.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Course(pub u8);

impl Course {
    /// To a real server.
    pub const REQUEST: Self = Self(1);
    /// From a masqueraded real server to a client.
    pub const REPLY: Self = Self(2);
    /// To the host's own stack, as they are.
    pub const STACK: Self = Self(3);
    /// Nowhere: the first fragment was dropped, or the datagram is not to be trusted.
    pub const REFUSED: Self = Self(4);
}

/// A datagram that comes in fragments.
///
/// Writer: program. Whoever changes more than a word of it holds `lock`.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Datagram {
    /// 1 while a CPU changes the rest.
    pub lock: u64,
    /// When it is forgotten, ticks.
    pub expires: u32,
    /// Slot of the real server.
    pub dest: u32,
    /// The real server's address: the slot may have changed hands.
    pub server: Addr,
    /// Of a reply: the address that the client called.
    pub virtual_address: Addr,
    /// Source port.
    pub source_port: Be16,
    /// Destination port.
    pub destination_port: Be16,
    /// What becomes of its fragments.
    pub course: Course,
    /// How they reach the real server.
    pub method: Method,
    /// TCP, UDP or SCTP.
    pub protocol: u8,
    /// Zero.
    pub pad: u8,
    /// What has come of it.
    pub pieces: Pieces,
}

impl Datagram {
    /// Whether its time is up.
    #[inline(always)]
    #[must_use]
    pub const fn is_expired(&self, now: u32) -> bool {
        now.wrapping_sub(self.expires) < 1 << 31
    }
}
