//! What a frame for a VLAN's interface leaves by.

use bytemuck::{Pod, Zeroable};

use crate::wire::Tags;

/// The interface below one that takes no frames from a driver's hook, and the tags that make up for it.
///
/// Writer: controller.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Below {
    /// Number of the interface below.
    pub interface: u32,
    /// Tags of the frames that leave by it.
    pub tags: Tags,
}
