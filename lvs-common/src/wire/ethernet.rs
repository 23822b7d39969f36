//! The Ethernet II header.

use bytemuck::{Pod, Zeroable};

use crate::net::{Be16, Mac};

/// IEEE 802 numbers: IPv4.
pub const ETHERTYPE_IPV4: Be16 = Be16::new(0x0800);
/// IEEE 802 numbers: IPv6.
pub const ETHERTYPE_IPV6: Be16 = Be16::new(0x86dd);
/// IEEE 802.1Q: a customer VLAN tag follows.
pub const ETHERTYPE_VLAN: Be16 = Be16::new(0x8100);
/// IEEE 802.1ad: a service VLAN tag follows.
pub const ETHERTYPE_QINQ: Be16 = Be16::new(0x88a8);

/// The Ethernet II header, untagged.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Ethernet {
    /// Where the frame goes.
    pub destination: Mac,
    /// Where it comes from.
    pub source: Mac,
    /// What it carries, or that a tag follows.
    pub ethertype: Be16,
}
