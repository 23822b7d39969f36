//! ICMP errors, and packets in tunnels, built by another implementation than the one under test.

use std::net::Ipv4Addr;

use etherparse::{
    EtherType, Ethernet2Header, Icmpv4Header, Icmpv4Type, IpDscp, IpNumber, Ipv4Header, UdpHeader,
};
use lvs_common::{map::tunnel, net::Mac};

use crate::layout::{DIP, RIPS};

pub(crate) const GUE_PORT: u16 = 6080;

/// An error to be.
#[derive(Clone)]
pub(crate) struct Complaint {
    pub(crate) macs: (Mac, Mac),
    pub(crate) from: Ipv4Addr,
    pub(crate) to: Ipv4Addr,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) id: u16,
    pub(crate) what: (u8, u8),
    pub(crate) info: [u8; 4],
    pub(crate) quoted: Vec<u8>,
}

impl Complaint {
    pub(crate) fn packet(&self) -> Vec<u8> {
        let (type_u8, code_u8) = self.what;
        let kind = Icmpv4Type::Unknown { type_u8, code_u8, bytes5to8: self.info };
        let icmp = Icmpv4Header::with_checksum(kind, &self.quoted);
        let mut ip =
            Ipv4Header::new(0, self.ttl, IpNumber::ICMP, self.from.octets(), self.to.octets())
                .unwrap();
        ip.dscp = IpDscp::try_new(self.tos >> 2).unwrap();
        ip.identification = self.id;
        ip.dont_fragment = false;
        ip.set_payload_len(8 + self.quoted.len()).unwrap();
        let mut bytes = Vec::new();
        ip.write(&mut bytes).unwrap();
        icmp.write(&mut bytes).unwrap();
        [bytes, self.quoted.clone()].concat()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        framed(self.macs, &self.packet())
    }

    pub(crate) fn hop(self, macs: (Mac, Mac)) -> Self {
        Self { macs, ttl: self.ttl - 1, ..self }
    }
}

pub(crate) fn framed((source, destination): (Mac, Mac), packet: &[u8]) -> Vec<u8> {
    let ethernet = Ethernet2Header {
        source: source.bytes(),
        destination: destination.bytes(),
        ether_type: EtherType::IPV4,
    };
    let mut bytes = Vec::new();
    ethernet.write(&mut bytes).unwrap();
    [bytes, packet.to_vec()].concat()
}

/// What the director sends into a tunnel: the outer IP packet.
pub(crate) fn wrapped(wrap: u8, inside: &[u8]) -> Vec<u8> {
    let (protocol, head) = match wrap & tunnel::KIND {
        tunnel::GUE => {
            let ip = Ipv4Header::new(0, 63, IpNumber::UDP, DIP.octets(), RIPS[0].ip().octets());
            let body = [&[0, 4, 0, 0], inside].concat();
            let udp = UdpHeader::with_ipv4_checksum(40_000, GUE_PORT, &ip.unwrap(), &body).unwrap();
            (17, [&udp.to_bytes()[..], &[0, 4, 0, 0]].concat())
        }
        tunnel::GRE if wrap & tunnel::CHECKSUM != 0 => (47, vec![0x80, 0, 8, 0, 1, 2, 0, 0]),
        tunnel::GRE => (47, vec![0, 0, 8, 0]),
        _ => (4, vec![]),
    };
    let (from, to) = (DIP.octets(), RIPS[0].ip().octets());
    let mut ip = Ipv4Header::new(0, 63, IpNumber(protocol), from, to).unwrap();
    ip.dont_fragment = true;
    ip.set_payload_len(head.len() + inside.len()).unwrap();
    let mut packet = Vec::new();
    ip.write(&mut packet).unwrap();
    [packet, head, inside.to_vec()].concat()
}
