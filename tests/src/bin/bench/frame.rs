//! Packets: TCP in a short Ethernet frame.

use std::net::{IpAddr, SocketAddr};

use lvs_common::net::checksum::sum;

/// Bytes of a frame: the shortest there is, or that of a TCP header behind IPv6's.
pub const LENGTH: usize = 64;
/// See [`LENGTH`].
pub const LENGTH6: usize = ETHERNET + IPV6 + TCP;

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const TCP: usize = 20;

/// A TCP segment in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Link-layer address that it comes from.
    pub from: [u8; 6],
    /// Link-layer address that it goes to.
    pub to: [u8; 6],
    /// Client or real server.
    pub source: SocketAddr,
    /// Virtual service or client, of the same family.
    pub destination: SocketAddr,
    /// Hops that it has left.
    pub ttl: u8,
    /// TCP's control bits.
    pub flags: u8,
}

impl Segment {
    /// Its bytes, with all checksums.
    pub fn frame(&self) -> Vec<u8> {
        let (network, ethertype) = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                (self.v4([source.octets(), destination.octets()]), [8, 0])
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                (self.v6([source.octets(), destination.octets()]), [0x86, 0xdd])
            }
            mixed => unreachable!("a segment between families: {mixed:?}"),
        };
        [&self.to[..], &self.from, &ethertype, &network].concat()
    }

    /// Whether it is one of IPv6.
    pub fn is_v6(&self) -> bool {
        self.source.is_ipv6()
    }

    fn v4(&self, [source, destination]: [[u8; 4]; 2]) -> Vec<u8> {
        let total = be(LENGTH - ETHERNET);
        let mut ip = [&[0x45, 0][..], &total, &[0, 1, 0x40, 0, self.ttl, 6, 0, 0]].concat();
        ip.extend([source, destination].concat());
        let check = !sum(&ip);
        ip[10..12].copy_from_slice(&check.to_ne_bytes());
        [ip, self.tcp(&[source, destination].concat(), LENGTH - ETHERNET - IPV4)].concat()
    }

    fn v6(&self, [source, destination]: [[u8; 16]; 2]) -> Vec<u8> {
        let ip = [&[0x60, 0, 0, 0][..], &be(TCP), &[6, self.ttl], &source, &destination].concat();
        [ip, self.tcp(&[source, destination].concat(), TCP)].concat()
    }

    /// So many bytes.
    fn tcp(&self, addresses: &[u8], bytes: usize) -> Vec<u8> {
        let mut tcp = [self.source.port(), self.destination.port()].map(u16::to_be_bytes).concat();
        tcp.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend((0..).take(bytes - tcp.len()));
        let pseudo = [addresses, &[0, 6], &be(tcp.len())].concat();
        let check = !sum(&[pseudo, tcp.clone()].concat());
        tcp[16..18].copy_from_slice(&check.to_ne_bytes());
        tcp
    }
}

fn be(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("shorter than a frame").to_be_bytes()
}
