//! Packets as tests speak of them, and the frames that carry them: written down plainly, by the RFCs and without the
//! product's own headers or sums.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// A link-layer address.
pub type Mac = [u8; 6];

/// TCP's control bits (RFC 9293 §3.1).
pub const FIN: u8 = 1;
/// See [`FIN`].
pub const SYN: u8 = 2;
/// See [`FIN`].
pub const RST: u8 = 4;
/// See [`FIN`].
pub const PSH: u8 = 8;
/// See [`FIN`].
pub const ACK: u8 = 16;

const ETHERNET: usize = 14;
/// Identification of every packet's fragments, which it never has.
pub(super) const ID: u16 = 0x1234;
const TCP: u8 = 6;
const UDP: u8 = 17;
pub(super) const ICMP: u8 = 1;
/// IP in IP (RFC 2003).
pub const IPIP: u8 = 4;

/// A segment or a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source.
    pub from: SocketAddr,
    /// Destination.
    pub to: SocketAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// What it carries.
    pub body: Body,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Control bits and data.
    Tcp(u8, Vec<u8>),
    /// Data.
    Udp(Vec<u8>),
}

/// A packet as a capture names it: `10.0.0.1:5000 > 192.168.4.5:80 SA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The frame's destination.
    pub mac: Mac,
    /// Source address.
    pub from: IpAddr,
    /// Destination address.
    pub to: IpAddr,
    /// The protocol's part.
    pub what: What,
}

/// The protocol's part of a packet seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Ports and control bits.
    Tcp(u16, u16, u8),
    /// Ports.
    Udp(u16, u16),
    /// Type and code.
    Icmp(u8, u8),
    /// Only its number.
    Other(u8),
}

impl Packet {
    /// A segment.
    #[must_use]
    pub fn tcp(from: SocketAddr, to: SocketAddr, flags: u8, data: &[u8]) -> Self {
        Self { from, to, ttl: 64, body: Body::Tcp(flags, data.to_vec()) }
    }

    /// A datagram.
    #[must_use]
    pub fn udp(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Self {
        Self { from, to, ttl: 64, body: Body::Udp(data.to_vec()) }
    }

    /// The same one router further.
    #[must_use]
    pub fn routed(&self) -> Self {
        Self { ttl: self.ttl - 1, ..self.clone() }
    }

    /// The frame that carries it.
    ///
    /// # Panics
    /// When its addresses are of two families, or it is longer than 64 KiB.
    #[must_use]
    pub fn frame(&self, to: Mac, from: Mac) -> Vec<u8> {
        let segment = self.segment();
        let mut frame = [&to[..], &from[..]].concat();
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                frame.extend([8, 0]);
                frame.extend(header_v4(self.protocol(), self.ttl, ID, from, to, segment.len()));
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                frame.extend([0x86, 0xdd]);
                frame.extend(self.header_v6(from, to, segment.len()));
            }
            _ => panic!("{self} has addresses of two families"),
        }
        frame.extend(segment);
        frame
    }

    /// Itself, without a frame.
    #[must_use]
    pub fn packet(&self) -> Vec<u8> {
        self.frame([0; 6], [0; 6]).split_off(ETHERNET)
    }

    /// The IPv4 packet that carries it through a tunnel, as IPVS makes it.
    ///
    /// # Panics
    /// When an address is of IPv6.
    #[must_use]
    pub fn carried(&self, from: IpAddr, to: IpAddr) -> Vec<u8> {
        let inside = self.packet();
        let (IpAddr::V4(from), IpAddr::V4(to)) = (from, to) else { panic!("{from} or {to}") };
        let mut header = header_v4(IPIP, self.ttl, 0, from, to, inside.len());
        header.extend(inside);
        header
    }

    fn protocol(&self) -> u8 {
        match self.body {
            Body::Tcp(..) => TCP,
            Body::Udp(_) => UDP,
        }
    }

    /// RFC 8200 §3.
    fn header_v6(&self, from: Ipv6Addr, to: Ipv6Addr, payload: usize) -> Vec<u8> {
        let mut header = vec![0x60, 0, 0, 0];
        header.extend(word(payload));
        header.extend([self.protocol(), self.ttl]);
        header.extend(from.octets());
        header.extend(to.octets());
        header
    }

    fn segment(&self) -> Vec<u8> {
        let mut segment = [self.from.port().to_be_bytes(), self.to.port().to_be_bytes()].concat();
        let place = match &self.body {
            Body::Tcp(flags, data) => {
                segment.extend([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
                segment.extend([0x50, *flags, 0xff, 0xff, 0, 0, 0, 0]);
                segment.extend(data);
                16
            }
            Body::Udp(data) => {
                segment.extend(word(8 + data.len()));
                segment.extend([0, 0]);
                segment.extend(data);
                6
            }
        };
        let mut pseudo = octets(self.from.ip());
        pseudo.extend(octets(self.to.ip()));
        pseudo.extend([0, self.protocol()]);
        pseudo.extend(word(segment.len()));
        let mut sum = checksum(&[&pseudo, &segment]);
        if sum == [0, 0] && place == 6 {
            // RFC 768: 0 says that there is no sum.
            sum = [0xff, 0xff];
        }
        segment[place..place + 2].copy_from_slice(&sum);
        segment
    }
}

impl Seen {
    /// Looks at a frame; `None` if it is cut short, or neither IPv4 nor IPv6.
    #[must_use]
    pub fn read(frame: &[u8]) -> Option<Self> {
        let mac = *frame.first_chunk()?;
        let packet = frame.get(ETHERNET..)?;
        let (from, to, protocol, rest): (IpAddr, IpAddr, u8, &[u8]) = match frame.get(12..14)? {
            [8, 0] => {
                let from: [u8; 4] = *packet.get(12..)?.first_chunk()?;
                let to: [u8; 4] = *packet.get(16..)?.first_chunk()?;
                let header = usize::from(*packet.first()? & 15) * 4;
                (from.into(), to.into(), *packet.get(9)?, packet.get(header..)?)
            }
            [0x86, 0xdd] => {
                let from: [u8; 16] = *packet.get(8..)?.first_chunk()?;
                let to: [u8; 16] = *packet.get(24..)?.first_chunk()?;
                (from.into(), to.into(), *packet.get(6)?, packet.get(40..)?)
            }
            _ => return None,
        };
        let port = |at: usize| Some(u16::from_be_bytes(*rest.get(at..)?.first_chunk()?));
        let what = match protocol {
            TCP => What::Tcp(port(0)?, port(2)?, *rest.get(13)?),
            UDP => What::Udp(port(0)?, port(2)?),
            ICMP => What::Icmp(*rest.first()?, *rest.get(1)?),
            other => What::Other(other),
        };
        Some(Self { mac, from, to, what })
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, .. } = *self;
        let at = SocketAddr::new;
        match self.what {
            What::Tcp(source, destination, flags) => {
                write!(f, "{} > {} {}", at(from, source), at(to, destination), letters(flags))
            }
            What::Udp(source, destination) => {
                write!(f, "{} > {} udp", at(from, source), at(to, destination))
            }
            What::Icmp(kind, code) => write!(f, "{from} > {to} icmp type {kind} code {code}"),
            What::Other(protocol) => write!(f, "{from} > {to} proto {protocol}"),
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, .. } = self;
        match &self.body {
            Body::Tcp(flags, _) => write!(f, "{from} > {to} {}", letters(*flags)),
            Body::Udp(_) => write!(f, "{from} > {to} udp"),
        }
    }
}

/// The link-layer address that a real server is given: its address is in it.
#[must_use]
pub fn mac_of(address: IpAddr) -> Mac {
    let octets = octets(address);
    let [.., a, b, c, d] = octets[..] else { unreachable!("an address has four bytes at least") };
    [2, if address.is_ipv4() { 4 } else { 6 }, a, b, c, d]
}

/// RFC 791 §3.1, without options; don't fragment.
pub(super) fn header_v4(
    protocol: u8,
    ttl: u8,
    id: u16,
    from: Ipv4Addr,
    to: Ipv4Addr,
    payload: usize,
) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend(word(20 + payload));
    header.extend(id.to_be_bytes());
    header.extend([0x40, 0, ttl, protocol, 0, 0]);
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum);
    header
}

/// `SA` as control bits; `None` for a letter that names none.
#[must_use]
pub fn flags(letters: &str) -> Option<u8> {
    letters.chars().try_fold(0, |flags, letter| {
        NAMES.iter().find(|(name, _)| *name == letter).map(|(_, flag)| flags | flag)
    })
}

/// In the order in which captures write them.
const NAMES: [(char, u8); 5] = [('S', SYN), ('F', FIN), ('R', RST), ('P', PSH), ('A', ACK)];

fn letters(flags: u8) -> String {
    NAMES.iter().filter(|(_, flag)| flags & flag != 0).map(|(name, _)| *name).collect()
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn word(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("a packet of at most 64 KiB").to_be_bytes()
}

/// RFC 1071, one byte after the other.
pub(crate) fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let bytes = parts.concat();
    let mut sum: u64 = 0;
    for (index, byte) in bytes.iter().enumerate() {
        sum += u64::from(*byte) << if index % 2 == 0 { 8 } else { 0 };
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [.., high, low] = (!sum).to_be_bytes();
    [high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let packet = Packet::tcp(at("10.0.0.1:5000"), at("192.168.4.5:80"), SYN | ACK, b"");
        let seen = Seen::read(&packet.frame([1; 6], [2; 6])).unwrap();
        assert_eq!(seen.mac, [1; 6]);
        assert_eq!(seen.to_string(), "10.0.0.1:5000 > 192.168.4.5:80 SA");
        assert_eq!(seen.to_string(), packet.to_string());
        let packet = Packet::udp(at("[2001:db8::1]:5000"), at("[2001:db8::2]:53"), b"odd");
        let seen = Seen::read(&packet.frame([1; 6], [2; 6])).unwrap();
        assert_eq!(seen.to_string(), "[2001:db8::1]:5000 > [2001:db8::2]:53 udp");
    }

    #[test]
    fn sums_are_those_of_a_packet_that_was_captured() {
        // RFC 1071 §3's numbers.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]]), [0x22, 0x0d]);
    }

    #[test]
    fn letters_and_flags_are_each_others_inverse() {
        for text in ["S", "SA", "FA", "PA", "RA", "R", "P", ""] {
            assert_eq!(letters(flags(text).unwrap()), text);
        }
        assert_eq!(flags("X"), None);
    }
}
