//! The TCP header, RFC 9293 §3.1.

use bytemuck::{Pod, Zeroable};

use crate::net::{Be16, Be32};

/// The TCP header without its options.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Tcp {
    /// Source port.
    pub source: Be16,
    /// Destination port.
    pub destination: Be16,
    /// Sequence number.
    pub sequence: Be32,
    /// Acknowledgment number.
    pub acknowledgment: Be32,
    /// Data offset: header length in words of four bytes (four high bits).
    pub offset: u8,
    /// Control bits.
    pub flags: u8,
    /// Receive window.
    pub window: Be16,
    /// Checksum.
    pub check: Be16,
    /// Urgent pointer.
    pub urgent: Be16,
}

impl Tcp {
    /// No more data from sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push function.
    pub const PSH: u8 = 0x08;
    /// Acknowledgment field is significant.
    pub const ACK: u8 = 0x10;
}
