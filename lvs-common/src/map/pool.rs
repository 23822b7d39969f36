//! A place in a service's list of real servers.

use bytemuck::{Pod, Zeroable};

/// One real server in a service's list: newest first, as IPVS keeps it.
///
/// Writer: controller. A pool is written before a service points to it.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PoolEntry {
    /// Slot in `DESTS`.
    pub dest: u32,
    /// Weight; 0 is quiesced.
    pub weight: u32,
}
