//! Packets as somebody else writes them: etherparse, and for SCTP the crate crc32c.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    EtherType, Ethernet2Header, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpFragOffset,
    IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6FragmentHeader, Ipv6Header, TcpHeader, UdpHeader,
};
use lvs_tests::rig::packet::Mac;

use crate::axes::{Family, Method, Protocol};

/// What an IP header says beside the addresses.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Hops to go.
    pub ttl: u8,
    /// IPv4: don't fragment.
    pub whole: bool,
    /// IPv4: identification.
    pub id: u16,
    /// Type of service.
    pub tos: u8,
}

/// Of a client's packet.
pub const HEAD: Head = Head { ttl: 64, whole: true, id: 0x1234, tos: 0 };

impl Head {
    /// One router further.
    pub fn routed(self) -> Self {
        Self { ttl: self.ttl - 1, ..self }
    }
}

/// Which kind of segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The first of a connection.
    Opening,
    /// One with data.
    Data,
}

/// An IP packet.
pub fn ip(from: IpAddr, to: IpAddr, head: Head, carried: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let length = u16::try_from(payload.len()).expect("a packet");
            let number = IpNumber(carried);
            let mut ip =
                Ipv4Header::new(length, head.ttl, number, from.octets(), to.octets()).unwrap();
            (ip.dont_fragment, ip.identification) = (head.whole, head.id);
            ip.dscp = (head.tos >> 2).try_into().unwrap();
            ip.write(&mut bytes).unwrap();
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let ip = Ipv6Header {
                traffic_class: head.tos,
                flow_label: Ipv6FlowLabel::ZERO,
                payload_length: u16::try_from(payload.len()).expect("a packet"),
                next_header: IpNumber(carried),
                hop_limit: head.ttl,
                source: from.octets(),
                destination: to.octets(),
            };
            ip.write(&mut bytes).unwrap();
        }
        _ => panic!("{from} and {to} are of two families"),
    }
    bytes.extend(payload);
    bytes
}

/// What an IP packet carries.
pub fn segment(
    protocol: Protocol,
    stage: Stage,
    from: SocketAddr,
    to: SocketAddr,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    match protocol {
        Protocol::Tcp => {
            let mut tcp = TcpHeader::new(from.port(), to.port(), 0x1122_3344, 0xffff);
            (tcp.syn, tcp.ack, tcp.psh) =
                (stage == Stage::Opening, stage == Stage::Data, stage == Stage::Data);
            tcp.checksum = match (from.ip(), to.ip()) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    tcp.calc_checksum_ipv4_raw(from.octets(), to.octets(), data)
                }
                (from, to) => tcp.calc_checksum_ipv6_raw(v6(from), v6(to), data),
            }
            .unwrap();
            tcp.write(&mut bytes).unwrap();
            bytes.extend(data);
        }
        Protocol::Udp => {
            let (source_port, destination_port) = (from.port(), to.port());
            let length = u16::try_from(8 + data.len()).expect("a datagram");
            let mut udp = UdpHeader { source_port, destination_port, length, checksum: 0 };
            udp.checksum = match (from.ip(), to.ip()) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    udp.calc_checksum_ipv4_raw(from.octets(), to.octets(), data)
                }
                (from, to) => udp.calc_checksum_ipv6_raw(v6(from), v6(to), data),
            }
            .unwrap();
            udp.write(&mut bytes).unwrap();
            bytes.extend(data);
        }
        Protocol::Sctp => bytes = sctp(stage, from, to, data),
    }
    bytes
}

/// RFC 9260 §3: the common header and one chunk, INIT or DATA.
fn sctp(stage: Stage, from: SocketAddr, to: SocketAddr, data: &[u8]) -> Vec<u8> {
    let tag: u32 = if stage == Stage::Opening { 0 } else { 0x0102_0304 };
    let mut bytes = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    bytes.extend(tag.to_be_bytes());
    bytes.extend([0; 4]);
    let (kind, body) = match stage {
        // Tag, window, streams out and in, first number.
        Stage::Opening => (1, [&[1, 2, 3, 4, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 9], data].concat()),
        // Number, stream, sequence, protocol of what is above.
        Stage::Data => (0, [&[0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0], data].concat()),
    };
    let length = u16::try_from(4 + body.len()).expect("a chunk");
    bytes.extend([kind, 3]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let sum = crc32c::crc32c(&bytes);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Bytes of headers before the data of a segment.
pub const fn before_data(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Tcp => 20,
        Protocol::Udp => 8,
        Protocol::Sctp => 12 + 16,
    }
}

/// An ICMP error.
pub fn error(
    from: IpAddr,
    to: IpAddr,
    head: Head,
    (kind, code): (u8, u8),
    info: u32,
    quoted: &[u8],
) -> Vec<u8> {
    let bytes5to8 = info.to_be_bytes();
    let mut message = Vec::new();
    let carried = match (from, to) {
        (IpAddr::V4(_), IpAddr::V4(_)) => {
            let what = Icmpv4Type::Unknown { type_u8: kind, code_u8: code, bytes5to8 };
            Icmpv4Header::with_checksum(what, quoted).write(&mut message).unwrap();
            1
        }
        (from, to) => {
            let what = Icmpv6Type::Unknown { type_u8: kind, code_u8: code, bytes5to8 };
            let icmp = Icmpv6Header::with_checksum(what, v6(from), v6(to), quoted).unwrap();
            icmp.write(&mut message).unwrap();
            58
        }
    };
    message.extend(quoted);
    ip(from, to, head, carried, &message)
}

/// A packet's pieces: the first carries `first` bytes of its payload.
pub fn pieces(packet: &[u8], first: usize) -> [Vec<u8>; 2] {
    assert_eq!(first % 8, 0);
    let offset = IpFragOffset::try_new(u16::try_from(first / 8).unwrap()).unwrap();
    if packet[0] >> 4 == 4 {
        let (mut ip, payload) = Ipv4Header::from_slice(packet).unwrap();
        ip.dont_fragment = false;
        let piece = |more, offset, part: &[u8]| {
            let mut ip = ip.clone();
            (ip.more_fragments, ip.fragment_offset) = (more, offset);
            ip.set_payload_len(part.len()).unwrap();
            let mut bytes = Vec::new();
            ip.write(&mut bytes).unwrap();
            [bytes, part.to_vec()].concat()
        };
        let (head, tail) = payload.split_at(first);
        return [piece(true, IpFragOffset::ZERO, head), piece(false, offset, tail)];
    }
    let (ip, payload) = Ipv6Header::from_slice(packet).unwrap();
    let piece = |more, offset, part: &[u8]| {
        let header = Ipv6FragmentHeader::new(ip.next_header, offset, more, 0x5566_7788);
        let mut behind = Vec::new();
        header.write(&mut behind).unwrap();
        behind.extend(part);
        let mut ip = ip.clone();
        ip.next_header = IpNumber::IPV6_FRAGMENTATION_HEADER;
        ip.set_payload_length(behind.len()).unwrap();
        let mut bytes = Vec::new();
        ip.write(&mut bytes).unwrap();
        [bytes, behind].concat()
    };
    let (head, tail) = payload.split_at(first);
    [piece(true, IpFragOffset::ZERO, head), piece(false, offset, tail)]
}

/// The packet that carries another one to a real server. `port` is gue's source port.
pub fn wrapped(
    method: Method,
    family: Family,
    (from, to): (IpAddr, IpAddr),
    inner: &[u8],
    (id, port): (u16, u16),
) -> Vec<u8> {
    let inner_head = read_head(inner);
    let head = Head { id: if inner_head.whole { 0 } else { id }, ..inner_head };
    let (carried, ethertype) = match family {
        Family::V4 => (4_u8, EtherType::IPV4),
        Family::V6 => (41, EtherType::IPV6),
    };
    match method {
        Method::Gue => {
            let payload = [&[0, carried, 0, 0], inner].concat();
            let length = u16::try_from(8 + payload.len()).expect("a datagram");
            let udp = UdpHeader { source_port: port, destination_port: 5555, length, checksum: 0 };
            let mut bytes = Vec::new();
            udp.write(&mut bytes).unwrap();
            ip(from, to, head, 17, &[bytes, payload].concat())
        }
        Method::Gre => {
            let gre = [[0, 0], ethertype.0.to_be_bytes()].concat();
            ip(from, to, head, 47, &[&gre, inner].concat())
        }
        _ => ip(from, to, head, carried, inner),
    }
}

/// What a packet's header says.
pub fn read_head(packet: &[u8]) -> Head {
    if packet[0] >> 4 == 4 {
        let (ip, _) = Ipv4Header::from_slice(packet).unwrap();
        let tos = ip.dscp.value() << 2;
        return Head { ttl: ip.time_to_live, whole: ip.dont_fragment, id: ip.identification, tos };
    }
    let (ip, _) = Ipv6Header::from_slice(packet).unwrap();
    Head { ttl: ip.hop_limit, whole: true, id: 0, tos: ip.traffic_class }
}

/// The frame that brings a packet from one station to another.
pub fn frame(to: Mac, from: Mac, packet: &[u8]) -> Vec<u8> {
    let ether_type = if packet[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 };
    let ethernet = Ethernet2Header { destination: to, source: from, ether_type };
    let mut bytes = Vec::new();
    ethernet.write(&mut bytes).unwrap();
    bytes.extend(packet);
    bytes
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => panic!("{address} is of IPv4"),
    }
}
