//! Packets: TCP in the shortest Ethernet frame.

use std::net::SocketAddrV4;

use lvs_common::net::checksum::sum;

/// Bytes of a frame.
pub const LENGTH: usize = 64;

const ETHERNET: usize = 14;
const IP: usize = 20;

/// A TCP segment in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Link-layer address that it comes from.
    pub from: [u8; 6],
    /// Link-layer address that it goes to.
    pub to: [u8; 6],
    /// Client or real server.
    pub source: SocketAddrV4,
    /// Virtual service or client.
    pub destination: SocketAddrV4,
    /// Hops that it has left.
    pub ttl: u8,
    /// TCP's control bits.
    pub flags: u8,
}

impl Segment {
    /// Its bytes, with both checksums.
    pub fn frame(&self) -> [u8; LENGTH] {
        let (source, destination) = (self.source.ip().octets(), self.destination.ip().octets());
        let total = be(LENGTH - ETHERNET);
        let mut ip = [&[0x45, 0][..], &total, &[0, 1, 0x40, 0, self.ttl, 6, 0, 0]].concat();
        ip.extend([source, destination].concat());
        let check = !sum(&ip);
        ip[10..12].copy_from_slice(&check.to_ne_bytes());

        let mut tcp = [self.source.port(), self.destination.port()].map(u16::to_be_bytes).concat();
        tcp.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend((0..).take(LENGTH - ETHERNET - IP - tcp.len()));
        let pseudo = [&source[..], &destination, &[0, 6], &be(tcp.len())].concat();
        let check = !sum(&[pseudo, tcp.clone()].concat());
        tcp[16..18].copy_from_slice(&check.to_ne_bytes());

        let ethernet = [&self.to[..], &self.from, &[8, 0]].concat();
        let bytes = [ethernet, ip, tcp].concat();
        bytes.try_into().expect("the parts make up a frame")
    }
}

fn be(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("shorter than a frame").to_be_bytes()
}
