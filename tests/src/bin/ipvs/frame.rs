//! The frames: one datagram in the shortest there is, and what must have become of it at the real server's.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use lvs_common::net::checksum::sum;

/// Bytes of a frame.
pub const LENGTH: usize = 60;

/// A link-layer address.
pub type Mac = [u8; 6];

/// Where a packet has to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// From and to.
    pub link: (Mac, Mac),
    /// The address that it goes to.
    pub destination: Ipv4Addr,
    /// The address that the packet in the tunnel goes to, if it is in one.
    pub inside: Option<Ipv4Addr>,
}

/// A datagram to port 53, of the first flow.
pub fn datagram((from, to): (Mac, Mac), source: Ipv4Addr, destination: Ipv4Addr) -> [u8; LENGTH] {
    let mut frame = [b'x'; LENGTH];
    frame[..6].copy_from_slice(&to);
    frame[6..12].copy_from_slice(&from);
    // IPv4; 46 bytes, of no datagram that was cut, 64 hops, UDP.
    frame[12..26].copy_from_slice(&[8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame[26..30].copy_from_slice(&source.octets());
    frame[30..34].copy_from_slice(&destination.octets());
    // From port 1024 to 53; 26 bytes, without a checksum.
    frame[34..42].copy_from_slice(&[4, 0, 0, 53, 0, 26, 0, 0]);
    let checksum = !sum(&frame[14..34]);
    frame[24..26].copy_from_slice(&checksum.to_ne_bytes());
    frame
}

impl Arrival {
    /// Fails unless a frame that begins with these bytes has arrived so.
    pub fn check(&self, seen: &[u8]) -> Result<()> {
        let ip = |at: usize| Ipv4Addr::new(seen[at], seen[at + 1], seen[at + 2], seen[at + 3]);
        let mac = |at: usize| seen[at..at + 6].try_into().unwrap_or_default();
        // IP in IP: the inner header is behind 20 bytes of the outer one.
        let inside = (seen[23] == 4).then(|| ip(50));
        let found = Self { link: (mac(6), mac(0)), destination: ip(30), inside };
        ensure!(found == *self, "what arrived is {found:02x?}, and not {self:02x?}: {seen:02x?}");
        Ok(())
    }
}
