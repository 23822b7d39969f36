//! Frames of IPv6, built by another implementation than the one under test: every checksum is
//! etherparse's.

use std::net::SocketAddrV6;

use etherparse::{EtherType, Ethernet2Header, IpNumber, Ipv6Header, TcpHeader, UdpHeader};
use lvs_common::net::Mac;

use super::layout::RIPS;
use crate::{
    frame::{ACK, FIN, Forwarded, PSH, RST, SYN},
    layout::{CLIENT_MAC, DIRECTOR_MAC},
};

/// A frame to be.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    source: SocketAddrV6,
    destination: SocketAddrV6,
    macs: (Mac, Mac),
    hop_limit: u8,
    /// Numbers of extension headers and what they hold behind their length.
    extensions: Vec<(u8, Vec<u8>)>,
    transport: Transport,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    Tcp(u8),
    Udp,
    Other(u8),
}

/// A SYN from one end to another, as a client sends it to the director.
pub(super) fn frame(source: SocketAddrV6, destination: SocketAddrV6) -> Frame {
    Frame {
        source,
        destination,
        macs: (CLIENT_MAC, DIRECTOR_MAC),
        hop_limit: 64,
        extensions: Vec::new(),
        transport: Transport::Tcp(SYN),
        payload: Vec::new(),
    }
}

impl Forwarded for Frame {
    fn hop(self, (source, destination): (Mac, Mac)) -> Self {
        self.aged().macs(source, destination)
    }

    fn translated(self) -> Self {
        self.destination(RIPS[0])
    }
}

impl Frame {
    pub(super) fn tcp(self, flags: u8) -> Self {
        Self { transport: Transport::Tcp(flags), ..self }
    }

    pub(super) fn udp(self) -> Self {
        Self { transport: Transport::Udp, ..self }
    }

    /// Of another protocol; the ports are left out.
    pub(super) fn protocol(self, number: u8) -> Self {
        Self { transport: Transport::Other(number), ..self }
    }

    pub(super) fn payload(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { payload: bytes.into(), ..self }
    }

    pub(super) fn source(self, source: SocketAddrV6) -> Self {
        Self { source, ..self }
    }

    pub(super) fn destination(self, destination: SocketAddrV6) -> Self {
        Self { destination, ..self }
    }

    pub(super) fn macs(self, source: Mac, destination: Mac) -> Self {
        Self { macs: (source, destination), ..self }
    }

    pub(super) fn hop_limit(self, hop_limit: u8) -> Self {
        Self { hop_limit, ..self }
    }

    /// One hop older.
    pub(super) fn aged(self) -> Self {
        let hop_limit = self.hop_limit - 1;
        self.hop_limit(hop_limit)
    }

    /// An extension header more: its number, and six bytes and any eights behind its length.
    pub(super) fn extension(mut self, number: u8, holds: &[u8]) -> Self {
        assert_eq!(holds.len() % 8, 6, "headers are whole eights");
        self.extensions.push((number, holds.to_vec()));
        self
    }

    /// The IP packet's length.
    pub(super) fn ip_len(&self) -> usize {
        self.bytes().len() - 14
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let ethernet = Ethernet2Header {
            source: self.macs.0.bytes(),
            destination: self.macs.1.bytes(),
            ether_type: EtherType::IPV6,
        };
        ethernet.write(&mut bytes).unwrap();
        let mut ip = Ipv6Header {
            hop_limit: self.hop_limit,
            traffic_class: 0xb9,
            flow_label: 0x9_8765.try_into().unwrap(),
            source: self.source.ip().octets(),
            destination: self.destination.ip().octets(),
            ..Ipv6Header::default()
        };
        let (protocol, segment) = self.segment(&ip);
        let mut numbers: Vec<_> = self.extensions.iter().map(|(number, _)| *number).collect();
        numbers.push(protocol);
        let mut behind = Vec::new();
        for ((_, holds), next) in self.extensions.iter().zip(&numbers[1..]) {
            behind.extend([*next, u8::try_from(holds.len() / 8).unwrap()]);
            behind.extend(holds);
        }
        behind.extend(segment);
        ip.next_header = IpNumber(numbers[0]);
        ip.payload_length = u16::try_from(behind.len()).unwrap();
        ip.write(&mut bytes).unwrap();
        bytes.extend(behind);
        bytes
    }

    fn segment(&self, ip: &Ipv6Header) -> (u8, Vec<u8>) {
        let (sport, dport) = (self.source.port(), self.destination.port());
        let mut segment = Vec::new();
        let number = match self.transport {
            Transport::Tcp(flags) => {
                let mut tcp = TcpHeader::new(sport, dport, 0x0102_0304, 0x7210);
                tcp.acknowledgment_number = 0x0506_0708;
                tcp.fin = flags & FIN != 0;
                tcp.syn = flags & SYN != 0;
                tcp.rst = flags & RST != 0;
                tcp.psh = flags & PSH != 0;
                tcp.ack = flags & ACK != 0;
                tcp.checksum = tcp.calc_checksum_ipv6(ip, &self.payload).unwrap();
                tcp.write(&mut segment).unwrap();
                IpNumber::TCP.0
            }
            Transport::Udp => {
                let udp = UdpHeader::with_ipv6_checksum(sport, dport, ip, &self.payload);
                udp.unwrap().write(&mut segment).unwrap();
                IpNumber::UDP.0
            }
            Transport::Other(number) => number,
        };
        segment.extend(&self.payload);
        (number, segment)
    }
}
