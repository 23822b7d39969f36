//! Byte order, addresses and checksums.

mod addr;
pub mod checksum;
pub mod crc32c;
mod order;

pub use addr::{Addr, Addr6, Mac};
pub use order::{Be16, Be32};

/// Protocol numbers of the Internet header (IANA), as far as the director knows them.
pub mod protocol {
    /// RFC 792.
    pub const ICMP: u8 = 1;
    /// IPv4 in another packet (RFC 2003).
    pub const IPIP: u8 = 4;
    /// RFC 9293.
    pub const TCP: u8 = 6;
    /// RFC 768.
    pub const UDP: u8 = 17;
    /// IPv6 in another packet (RFC 2473).
    pub const IPV6: u8 = 41;
    /// RFC 2784.
    pub const GRE: u8 = 47;
    /// RFC 9260.
    pub const SCTP: u8 = 132;
    /// RFC 4443.
    pub const ICMPV6: u8 = 58;
}
