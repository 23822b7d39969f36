//! The SCTP common header and chunk header, RFC 9260 §3.

use bytemuck::{Pod, Zeroable};

use crate::net::{Be16, Be32};

/// The common header.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Sctp {
    /// Source port.
    pub source: Be16,
    /// Destination port.
    pub destination: Be16,
    /// Verification tag.
    pub tag: Be32,
    /// `CRC32c` of the packet with zero here, its least significant byte first.
    pub check: [u8; 4],
}

/// The head of a chunk.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Chunk {
    /// One of [`chunk`]'s, or another.
    pub kind: u8,
    /// Depends on the type.
    pub flags: u8,
    /// Head and value, bytes, without the padding to four.
    pub length: Be16,
}

/// Chunk types (RFC 9260 §3.2).
pub mod chunk {
    /// Opens.
    pub const INIT: u8 = 1;
    /// Answers INIT.
    pub const INIT_ACK: u8 = 2;
    /// Ends at once.
    pub const ABORT: u8 = 6;
    /// Begins to close.
    pub const SHUTDOWN: u8 = 7;
    /// Answers SHUTDOWN.
    pub const SHUTDOWN_ACK: u8 = 8;
    /// Tells of an error.
    pub const ERROR: u8 = 9;
    /// Brings the cookie back.
    pub const COOKIE_ECHO: u8 = 10;
    /// Answers COOKIE-ECHO.
    pub const COOKIE_ACK: u8 = 11;
    /// Ends closing.
    pub const SHUTDOWN_COMPLETE: u8 = 14;
}
