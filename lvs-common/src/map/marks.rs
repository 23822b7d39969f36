//! Rules that give packets a firewall mark.

use bytemuck::{Pod, Zeroable};

use super::Family;
use crate::net::Addr;

/// Rules that hold at a time; a rule of several port ranges is several here.
pub const MAX_MARK_RULES: usize = 1024;
/// Places for rules: two halves, so that a new list is written beside the one that holds.
pub const MARK_PLACES: usize = 2 * MAX_MARK_RULES;

/// Packets to these addresses and ports carry a firewall mark. Rules lie in order of precedence: the
/// first that matches decides; see [`mark`](crate::mark).
///
/// Writer: controller, into the half of `MARKS` that does not hold; then it switches
/// [`Tunables::marks`](super::Tunables::marks).
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct MarkRule {
    /// Addresses that begin like this one.
    pub prefix: Addr,
    /// The mark; not 0.
    pub mark: u32,
    /// First port, host order; 0 with [`Self::last`] 65535 takes any, and packets without ports.
    pub first: u16,
    /// Last port, host order.
    pub last: u16,
    /// How many of the sixteen bytes' bits count: 96 more than an IPv4 prefix has.
    pub length: u8,
    /// Family of the packets.
    pub family: Family,
    /// Protocol number; 0 takes any.
    pub protocol: u8,
    /// Zero.
    pub pad: [u8; 5],
}

/// The word of [`Tunables::marks`](super::Tunables::marks): which places hold.
#[must_use]
pub const fn marks_word(first: u16, count: u16) -> u32 {
    (first as u32) << 16 | count as u32
}

/// The first place that holds, and how many do.
#[inline(always)]
#[must_use]
pub const fn marks_that_hold(word: u32) -> (u32, u32) {
    (word >> 16, word & 0xffff)
}
