//! Frames, built by another implementation than the one under test: every field and checksum is
//! etherparse's. What a rewritten frame must be is built anew in the same way, not patched.

use std::net::SocketAddrV4;

use etherparse::{
    EtherType, Ethernet2Header, IpDscp, IpEcn, IpFragOffset, IpNumber, Ipv4Header, TcpHeader,
    UdpHeader,
};

use lvs_common::{map::Method, net::Mac};

use crate::layout::{CLIENT_MAC, DIRECTOR_MAC, INSIDE_MAC, RIP_MACS, RIPS};

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// A frame to be.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    source: SocketAddrV4,
    destination: SocketAddrV4,
    macs: (Mac, Mac),
    tags: Vec<(u16, u16)>,
    ip: Ipv4Header,
    transport: Transport,
    payload: Vec<u8>,
    padding: usize,
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    Tcp { flags: u8 },
    Udp { has_checksum: bool },
    Other(IpNumber),
}

/// A SYN from one end to another, as a client sends it to the director.
pub(crate) fn frame(source: SocketAddrV4, destination: SocketAddrV4) -> Frame {
    let mut ip = Ipv4Header::new(0, 64, IpNumber::TCP, [0; 4], [0; 4]).unwrap();
    ip.dont_fragment = true;
    ip.identification = 0x1234;
    Frame {
        source,
        destination,
        macs: (CLIENT_MAC, DIRECTOR_MAC),
        tags: Vec::new(),
        ip,
        transport: Transport::Tcp { flags: SYN },
        payload: Vec::new(),
        padding: 0,
    }
}

/// Frames of either family, as far as forwarding looks at them.
pub(crate) trait Forwarded: Clone {
    /// One hop older, between other link-layer addresses.
    fn hop(self, macs: (Mac, Mac)) -> Self;

    /// For the first real server, on its port.
    fn translated(self) -> Self;

    /// What the first real server must get of a request.
    fn requested(&self, method: Method) -> Self {
        let frame = self.clone().hop((INSIDE_MAC, RIP_MACS[0]));
        if method == Method::MASQ { frame.translated() } else { frame }
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
    pub(crate) fn tcp(self, flags: u8) -> Self {
        Self { transport: Transport::Tcp { flags }, ..self }
    }

    pub(crate) fn udp(self) -> Self {
        Self { transport: Transport::Udp { has_checksum: true }, ..self }
    }

    pub(crate) fn udp_without_checksum(self) -> Self {
        Self { transport: Transport::Udp { has_checksum: false }, ..self }
    }

    /// Of another protocol; the ports are left out.
    pub(crate) fn protocol(self, number: u8) -> Self {
        Self { transport: Transport::Other(IpNumber(number)), ..self }
    }

    pub(crate) fn payload(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { payload: bytes.into(), ..self }
    }

    /// Zeros behind the packet, as Ethernet's least length wants them.
    pub(crate) fn padding(self, bytes: usize) -> Self {
        Self { padding: bytes, ..self }
    }

    pub(crate) fn source(self, source: SocketAddrV4) -> Self {
        Self { source, ..self }
    }

    pub(crate) fn destination(self, destination: SocketAddrV4) -> Self {
        Self { destination, ..self }
    }

    pub(crate) fn macs(self, source: Mac, destination: Mac) -> Self {
        Self { macs: (source, destination), ..self }
    }

    /// A VLAN tag behind those that it has: ethertype, and priority and number.
    pub(crate) fn vlan(mut self, ethertype: u16, control: u16) -> Self {
        self.tags.push((ethertype, control));
        self
    }

    pub(crate) fn ttl(mut self, ttl: u8) -> Self {
        self.ip.time_to_live = ttl;
        self
    }

    /// Type of service: DSCP and ECN.
    pub(crate) fn tos(mut self, tos: u8) -> Self {
        self.ip.dscp = IpDscp::try_new(tos >> 2).unwrap();
        self.ip.ecn = IpEcn::try_new(tos & 3).unwrap();
        self
    }

    /// May be cut into fragments, which this identifies.
    pub(crate) fn may_fragment(mut self, id: u16) -> Self {
        self.ip.dont_fragment = false;
        self.ip.identification = id;
        self
    }

    pub(crate) fn options(mut self, options: &[u8]) -> Self {
        self.ip.options = options.try_into().unwrap();
        self
    }

    /// A fragment: offset in units of eight bytes, and whether more follow.
    pub(crate) fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.ip.dont_fragment = false;
        self.ip.fragment_offset = IpFragOffset::try_new(offset).unwrap();
        self.ip.more_fragments = more;
        self
    }

    /// IP packets that went through the director's TTL.
    pub(crate) fn aged(self) -> Self {
        let ttl = self.ip.time_to_live - 1;
        self.ttl(ttl)
    }

    /// The IP packet's length.
    pub(crate) fn ip_len(&self) -> usize {
        self.packet().len()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let ethernet = Ethernet2Header {
            source: self.macs.0.bytes(),
            destination: self.macs.1.bytes(),
            ether_type: self.tags.first().map_or(EtherType::IPV4, |(tag, _)| EtherType(*tag)),
        };
        ethernet.write(&mut bytes).unwrap();
        for (index, (_, control)) in self.tags.iter().enumerate() {
            let inner = self.tags.get(index + 1).map_or(EtherType::IPV4.0, |(tag, _)| *tag);
            bytes.extend(control.to_be_bytes());
            bytes.extend(inner.to_be_bytes());
        }
        bytes.extend(self.packet());
        bytes.resize(bytes.len() + self.padding, 0);
        bytes
    }

    /// The IP packet.
    pub(crate) fn packet(&self) -> Vec<u8> {
        let mut ip = self.ip.clone();
        ip.source = self.source.ip().octets();
        ip.destination = self.destination.ip().octets();
        let (sport, dport) = (self.source.port(), self.destination.port());
        let mut segment = Vec::new();
        match self.transport {
            Transport::Tcp { flags } => {
                ip.protocol = IpNumber::TCP;
                let mut tcp = TcpHeader::new(sport, dport, 0x0102_0304, 0x7210);
                tcp.acknowledgment_number = 0x0506_0708;
                tcp.fin = flags & FIN != 0;
                tcp.syn = flags & SYN != 0;
                tcp.rst = flags & RST != 0;
                tcp.psh = flags & PSH != 0;
                tcp.ack = flags & ACK != 0;
                tcp.checksum = tcp.calc_checksum_ipv4(&ip, &self.payload).unwrap();
                tcp.write(&mut segment).unwrap();
            }
            Transport::Udp { has_checksum } => {
                ip.protocol = IpNumber::UDP;
                let mut udp =
                    UdpHeader::with_ipv4_checksum(sport, dport, &ip, &self.payload).unwrap();
                udp.checksum = if has_checksum { udp.checksum } else { 0 };
                udp.write(&mut segment).unwrap();
            }
            Transport::Other(number) => ip.protocol = number,
        }
        segment.extend(&self.payload);
        ip.set_payload_len(segment.len()).unwrap();
        let mut packet = Vec::new();
        ip.write(&mut packet).unwrap();
        packet.extend(segment);
        packet
    }
}
