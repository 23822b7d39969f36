//! Where a packet leaves, and by which link-layer addresses.

use bytemuck::{Pod, Zeroable};

use crate::{
    net::{Addr, Mac},
    wire::Tags,
};

/// The next hop toward a real server, as the controller resolved it.
///
/// Writer: controller. A slot is written before anything points to it, and never changed after.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct NextHop {
    /// Number of the interface that the packet leaves by; 0: not resolved, or [`Self::LOCAL`].
    pub interface: u32,
    /// Largest IP packet that the route takes, bytes.
    pub mtu: u32,
    /// The neighbour's address.
    pub destination: Mac,
    /// The interface's own address.
    pub source: Mac,
    /// Of [`Self::REFLECTS`], [`Self::TAGGED`] and [`Self::LOCAL`].
    pub flags: u32,
    /// The director's address toward the real server.
    pub from: Addr,
    /// VLAN tags that the frame leaves with.
    pub tags: Tags,
}

impl NextHop {
    /// Frames that came in by [`Self::interface`] may leave by `XDP_TX`.
    pub const REFLECTS: u32 = 1;
    /// There are [`Self::tags`].
    pub const TAGGED: u32 = 2;
    /// The real server is the director itself: its own stack takes the packet.
    pub const LOCAL: u32 = 4;

    /// The slot of a real server whose next hop is not known.
    pub const UNRESOLVED: u32 = 0;
}
