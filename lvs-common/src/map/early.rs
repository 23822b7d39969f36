//! Fragments that come before the first one of their datagram, and how the controller, which holds them, sends them
//! on their way.

use bytemuck::{Pod, Zeroable};

use super::DatagramKey;
use crate::wire::Tags;

/// Bytes of the longest frame that is held, its VLAN tags not counted.
pub const MAX_BYTES: usize = 1 << 11;

/// Bytes of the ring of early fragments: some five hundred.
pub const EARLY_BYTES: usize = 1 << 20;

/// Bytes of the ring that tells of first fragments.
pub const FIRSTS_BYTES: usize = 1 << 16;

/// Nobody holds fragments.
pub const NOBODY: u64 = 0;
/// Whoever holds them has none.
pub const READY: u64 = 1;
/// Whoever holds them has some, and waits to be told of first ones.
pub const WAITING: u64 = 2;

/// What [`Released::cookie`] says.
pub const COOKIE: u32 = 0x9e3d_51c7;

/// A fragment that came early.
///
/// Writer: program.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Early {
    /// Its datagram.
    pub key: DatagramKey,
    /// Where in it the fragment begins, units of eight bytes.
    pub start: u32,
    /// Number of the interface that it came in by.
    pub interface: u32,
    /// VLAN tags that were taken off the frame.
    pub tags: Tags,
    /// Bytes of the frame.
    pub bytes: u32,
    /// Zero.
    pub pad: u32,
    /// The frame, from the Ethernet header on; behind it, anything.
    pub frame: [u8; MAX_BYTES],
}

/// The metadata in front of a frame that was held: it is not to be held again.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Released {
    /// [`COOKIE`].
    pub cookie: u32,
    /// Number of the interface that it is to leave by, once the program has said so.
    pub interface: u32,
}
