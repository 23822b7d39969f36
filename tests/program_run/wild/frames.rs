//! Frames of every kind that comes by a director, right as they are made: see `damage` for the others.

use std::net::{IpAddr, SocketAddr};

use lvs_tests::rig::{Side, packet::Mac};

use super::{
    damage,
    random::Random,
    world::{Family, V4, V6, answerer, virtual_port},
};

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

pub(super) const ETHERNET: usize = 14;

/// Frames that left lately, and may come back by another director.
const RETURNING: usize = 64;

/// Makes frames.
pub(super) struct Maker {
    random: Random,
    macs: [Mac; 2],
    returning: Vec<Vec<u8>>,
}

impl Maker {
    /// Of these numbers, to the director's interfaces toward clients and real servers.
    pub(super) fn new(seed: u64, macs: [Mac; 2]) -> Self {
        Self { random: Random::new(seed), macs, returning: Vec::new() }
    }

    /// The next one.
    pub(super) fn frame(&mut self) -> (Side, Vec<u8>) {
        let random = &mut self.random;
        let mut side = if random.below(3) < 2 { Side::Clients } else { Side::Servers };
        let mut frame = match random.below(24) {
            0 => framed(random.one(&[0x0806, 0x88cc, 0x8847, 0x0027]), &random.bytes(46)),
            1 if !self.returning.is_empty() => {
                // What a director has sent comes back to it.
                side = random.one(&[Side::Clients, Side::Servers]);
                let place = random.below(self.returning.len());
                self.returning[place].clone()
            }
            _ => packet(random, side),
        };
        let [clients, servers] = self.macs;
        let to = if side == Side::Clients { clients } else { servers };
        frame[..6].copy_from_slice(&to);
        if self.random.once_in(2) {
            damage::harm(&mut frame, &mut self.random);
        }
        (side, frame)
    }

    /// A frame has left, and may come back.
    pub(super) fn left(&mut self, frame: &[u8]) {
        if !self.random.once_in(8) || frame.len() < ETHERNET {
            return;
        }
        if self.returning.len() < RETURNING {
            self.returning.push(frame.to_vec());
        } else {
            let place = self.random.below(RETURNING);
            self.returning[place] = frame.to_vec();
        }
    }
}

/// A packet in its frame.
fn packet(random: &mut Random, side: Side) -> Vec<u8> {
    let family = random.one(&[&V4, &V4, &V6]);
    let (client, vip) =
        (family.client(random), SocketAddr::new(family.vip(), virtual_port(random)));
    let server = answerer(family, random);
    let (from, to) = match side {
        _ if random.once_in(30) => (server, vip),
        Side::Clients => (client, vip),
        Side::Servers => (server, client),
    };
    let mut packet = match random.below(12) {
        0 => {
            let about = complained_about(random, side, family, (client, vip, server));
            complaint(random, (from.ip(), to.ip()), &about)
        }
        1 if random.once_in(3) => {
            let request = if from.is_ipv4() { 8 } else { 128 };
            icmp((from.ip(), to.ip()), (request, 0), [1, 2, 3, 4], &random.bytes(40))
        }
        _ => segment(random, from, to),
    };
    if random.once_in(6) {
        packet = damage::lengthened(&packet, random);
    }
    if random.once_in(6) {
        packet = damage::fragment(&packet, random);
    }
    let mut frame = framed(if family.vip().is_ipv4() { 0x0800 } else { 0x86dd }, &packet);
    if random.once_in(8) {
        damage::tag(&mut frame, random);
    }
    if random.once_in(8) {
        frame.extend(random.bytes(8));
    }
    frame
}

/// A packet that an error from this side is about.
fn complained_about(
    random: &mut Random,
    side: Side,
    family: &Family,
    (client, vip, server): (SocketAddr, SocketAddr, SocketAddr),
) -> Vec<u8> {
    if side == Side::Clients {
        return segment(random, vip, client);
    }
    let inside = segment(random, client, vip);
    if random.once_in(2) {
        return segment(random, client, server);
    }
    // The director's own, to the end of a tunnel.
    let (from, number, is_v4) = (family.dip(), random.below(5), vip.is_ipv4());
    let carried = if is_v4 { 4 } else { 41 };
    let to = family.server_of(2 + number);
    if to.is_ipv4() != from.is_ipv4() {
        return inside;
    }
    let ethertype: [u8; 2] = if is_v4 { [8, 0] } else { [0x86, 0xdd] };
    let (protocol, before) = match number {
        0 => (carried, Vec::new()),
        1 | 3 => (UDP, [&[0xc0, 1, 0x15, 0xb3, 0, 0, 0, 0], &[0, carried, 0, 0][..]].concat()),
        2 => (47, [&[0, 0][..], &ethertype].concat()),
        _ => (47, [&[0x80, 0][..], &ethertype, &[0; 4]].concat()),
    };
    ip((from, to), protocol, random, &[before, inside].concat())
}

fn complaint(random: &mut Random, ends: (IpAddr, IpAddr), about: &[u8]) -> Vec<u8> {
    let is_v4 = ends.0.is_ipv4();
    let what = if is_v4 {
        random.one(&[(3, 3), (3, 4), (3, 1), (11, 0), (12, 0), (4, 0), (5, 1)])
    } else {
        random.one(&[(1, 4), (2, 0), (3, 0), (4, 1), (1, 0)])
    };
    let quoted = about.len().min(random.one(&[48, 28, 500, 1200]));
    icmp(ends, what, random.one(&[[0, 0, 5, 0], [0; 4], [0, 0, 2, 0x40]]), &about[..quoted])
}

fn icmp(ends: (IpAddr, IpAddr), what: (u8, u8), info: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut message = [&[what.0, what.1, 0, 0], &info[..], data].concat();
    let protocol = if ends.0.is_ipv4() { 1 } else { 58 };
    let covered = if ends.0.is_ipv4() { Vec::new() } else { pseudo(ends, protocol, message.len()) };
    let check = !sum(&[covered, message.clone()].concat());
    message[2..4].copy_from_slice(&check.to_be_bytes());
    ip(ends, protocol, &mut Random::new(1), &message)
}

/// TCP, UDP or SCTP.
fn segment(random: &mut Random, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let ends = (from.ip(), to.ip());
    let length = random.one(&[0, 0, 1, 7, 40, 200, 1400, 1460, 1500, 3000, 8900]);
    let data = vec![random.byte(); if length > 300 && random.below(4) > 0 { 8 } else { length }];
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    let (protocol, mut bytes, place) = match random.below(5) {
        0 | 1 => {
            let flags = random.one(&[2, 2, 2, 16, 16, 17, 4, 20, 18, 24, 0, 63]);
            let rest = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x50, flags, 0xff, 0xff];
            (TCP, [&ports[..], &rest, &[0; 4], &data].concat(), 16)
        }
        2 | 3 => {
            let length = u16::try_from(8 + data.len()).expect("a datagram").to_be_bytes();
            (UDP, [&ports[..], &length, &[0, 0], &data].concat(), 6)
        }
        _ => return sctp(random, ends, &ports, &data),
    };
    let check = !sum(&[pseudo(ends, protocol, bytes.len()), bytes.clone()].concat());
    bytes[place..place + 2].copy_from_slice(&check.max(1).to_be_bytes());
    ip(ends, protocol, random, &bytes)
}

/// RFC 9260: the common header, and one or two chunks.
fn sctp(random: &mut Random, ends: (IpAddr, IpAddr), ports: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = [ports, &[1, 2, 3, 4, 0, 0, 0, 0]].concat();
    for _ in 0..=random.below(2) {
        let kind = random.one(&[1, 1, 1, 2, 10, 11, 0, 3, 6, 7, 8, 14, 130]);
        let length = u16::try_from(4 + data.len()).expect("a chunk").to_be_bytes();
        bytes.extend([&[kind, 0], &length[..], data].concat());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let crc = crc32c::crc32c(&bytes);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    ip(ends, SCTP, random, &bytes)
}

/// RFC 791 §3.1, RFC 8200 §3.
fn ip(ends: (IpAddr, IpAddr), protocol: u8, random: &mut Random, payload: &[u8]) -> Vec<u8> {
    let (tos, ttl) = (random.one(&[0, 0, 3, 0xb8]), random.one(&[64, 64, 64, 255, 2, 1]));
    match ends {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let length = u16::try_from(20 + payload.len()).expect("a packet").to_be_bytes();
            // Few identifications, so that fragments meet.
            let (id, flags) = (random.byte() % 8, random.one(&[0x40, 0x40, 0]));
            let mut header =
                vec![0x45, tos, length[0], length[1], 0, id, flags, 0, ttl, protocol, 0, 0];
            header.extend([from.octets(), to.octets()].concat());
            seal(&mut header);
            [&header, payload].concat()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let length = u16::try_from(payload.len()).expect("a packet").to_be_bytes();
            let head = [0x60 | tos >> 4, tos << 4, 0, 0, length[0], length[1], protocol, ttl];
            [&head[..], &from.octets(), &to.octets(), payload].concat()
        }
        _ => unreachable!("the ends are of one family"),
    }
}

/// Gives an IPv4 header its checksum.
pub(super) fn seal(header: &mut [u8]) {
    header[10..12].fill(0);
    let check = !sum(header);
    header[10..12].copy_from_slice(&check.to_be_bytes());
}

fn pseudo(ends: (IpAddr, IpAddr), protocol: u8, length: usize) -> Vec<u8> {
    let length = u16::try_from(length).expect("a packet").to_be_bytes();
    let octets = |address| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    [octets(ends.0), octets(ends.1), vec![0, protocol, length[0], length[1]]].concat()
}

/// RFC 1071.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    let folded = (sum & 0xffff) + (sum >> 16);
    u16::try_from((folded & 0xffff) + (folded >> 16)).expect("it is folded")
}

fn framed(ethertype: u16, packet: &[u8]) -> Vec<u8> {
    [&[0; 6], &[2, 0, 0, 0, 0, 0xfe], &ethertype.to_be_bytes()[..], packet].concat()
}
