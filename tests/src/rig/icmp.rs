//! ICMP errors, written down by RFC 792, and the way of those that real servers send about tunnels.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;

use super::{
    Fate, Rig, Side,
    packet::{self, ICMP, Packet, Seen, checksum},
    place, run,
    way::{Gone, Way, unchanged},
};

/// Port unreachable, which a host without a tunnel device says (`tunnel4_rcv`).
const PORT_UNREACHABLE: [u8; 2] = [3, 3];

/// What fits into 576 bytes.
const QUOTED_MAX: usize = 548;

/// An IPv4 packet with an error.
#[derive(Clone, Debug)]
pub struct Complaint {
    /// Source and destination.
    pub ends: (Ipv4Addr, Ipv4Addr),
    /// Type of service, time to live, identification.
    pub head: (u8, u8, u16),
    /// Type and code.
    pub what: [u8; 2],
    /// What depends on them.
    pub info: u32,
    /// The packet that it is about.
    pub quoted: Vec<u8>,
}

impl Complaint {
    /// The packet.
    #[must_use]
    pub fn packet(&self) -> Vec<u8> {
        let [kind, code] = self.what;
        let mut message = vec![kind, code, 0, 0];
        message.extend(self.info.to_be_bytes());
        message.extend(&self.quoted);
        let sum = checksum(&[&message]);
        message[2..4].copy_from_slice(&sum);
        let (tos, ttl, id) = self.head;
        let (from, to) = self.ends;
        let mut packet = packet::header_v4(ICMP, ttl, id, from, to, message.len());
        packet[1] = tos;
        packet[6] = 0;
        packet[10..12].fill(0);
        let sum = checksum(&[&packet]);
        packet[10..12].copy_from_slice(&sum);
        packet.extend(message);
        packet
    }
}

impl Rig<'_> {
    /// Lets a real server refuse the tunnel that a client's packet came by; what becomes of its complaint.
    ///
    /// # Errors
    /// The kernel does not run the program.
    pub fn refuse_tunnel(&self, packet: &Packet, server: IpAddr) -> Result<Gone> {
        let inside = packet.routed();
        let complaint = Complaint {
            ends: (v4(server), v4(place::DIP)),
            head: (0xc0, 64, 7),
            what: PORT_UNREACHABLE,
            info: 0,
            quoted: inside.carried(place::DIP, server),
        };
        let ours = self.interface(Side::Servers).mac;
        let frame = framed(ours, packet::mac_of(server), &complaint.packet());
        let Fate::Sent(frame) = run(&self.program, self.index(Side::Servers), &frame)? else {
            return Ok(Gone { way: Way::Dropped, seen: None, wrong: None });
        };
        // As if the VIP said it of what the client sent; the packet's identification is the director's choice.
        let expected = Complaint {
            ends: (v4(packet.to.ip()), v4(packet.from.ip())),
            head: (0xc0, 64, frame.get(18..20).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]))),
            quoted: inside.packet(),
            ..complaint
        };
        let mac = self.interface(Side::Clients).mac;
        let wrong = unchanged(&frame, &framed(place::ROUTER, mac, &expected.packet()));
        Ok(Gone { way: Way::Forwarded(packet.from), seen: Seen::read(&frame), wrong })
    }
}

impl Rig<'_> {
    /// The frame in which the director says that there is no real server.
    pub(super) fn refusal(&self, packet: &Packet) -> Vec<u8> {
        let mut quoted = packet.packet();
        quoted.truncate(QUOTED_MAX);
        let complaint = Complaint {
            ends: (v4(packet.to.ip()), v4(packet.from.ip())),
            head: (0xc0, 64, packet::ID),
            what: PORT_UNREACHABLE,
            info: 0,
            quoted,
        };
        framed(place::ROUTER, self.interface(Side::Clients).mac, &complaint.packet())
    }
}

fn framed(to: packet::Mac, from: packet::Mac, packet: &[u8]) -> Vec<u8> {
    [&to[..], &from, &[8, 0], packet].concat()
}

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => panic!("{address} is of IPv6"),
    }
}
