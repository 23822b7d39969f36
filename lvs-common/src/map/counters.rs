//! Traffic counters.

use bytemuck::{Pod, Zeroable};

/// What one real server of one service had, as `ipvsadm -L --stats` shows it.
///
/// Bytes are IP bytes: no link-layer header. Writer: program, each CPU its own.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Counters {
    /// Connections made.
    pub connections: u64,
    /// Packets of clients.
    pub in_packets: u64,
    /// Bytes of clients.
    pub in_bytes: u64,
    /// Packets of the real server that passed the director (NAT).
    pub out_packets: u64,
    /// Bytes of the real server that passed the director (NAT).
    pub out_bytes: u64,
}

impl core::ops::AddAssign for Counters {
    fn add_assign(&mut self, more: Self) {
        self.connections += more.connections;
        self.in_packets += more.in_packets;
        self.in_bytes += more.in_bytes;
        self.out_packets += more.out_packets;
        self.out_bytes += more.out_bytes;
    }
}
