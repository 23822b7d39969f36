//! What lblc and lblcr remember real servers by.

use bytemuck::{Pod, Zeroable};

use crate::net::Addr;

/// An address that clients called, in one service.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct Called {
    /// The address.
    pub address: Addr,
    /// Slot of the service.
    pub service: u32,
    /// The service's era.
    pub era: u32,
}
