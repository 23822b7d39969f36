//! A frame as etherparse sees it.

use std::net::IpAddr;

use etherparse::{
    Ethernet2Slice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, SingleVlanSlice,
};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const SCTP: u8 = 132;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMPV6: u8 = 58;
const FRAGMENT: u8 = 44;
const ROUTING: u8 = 43;

const ETHERNET: usize = 14;
const TAG: usize = 4;

/// What of its datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    First,
    Later,
}

/// A packet. Offsets are from its frame's first byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) is_v4: bool,
    /// Offset of the IP header.
    pub(crate) at: usize,
    /// Bytes of the header and what it carries.
    pub(crate) bytes: usize,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    /// Offset of what is behind all IP headers.
    pub(crate) transport: usize,
    pub(crate) part: Part,
}

/// How many VLAN tags a frame has, and the type of what is behind them.
pub(crate) fn tags(frame: &[u8]) -> Option<(usize, u16)> {
    let ethernet = Ethernet2Slice::from_slice_without_fcs(frame).ok()?;
    let (mut ethertype, mut tags) = (ethernet.ether_type().0, 0);
    while matches!(ethertype, 0x8100 | 0x88a8) {
        let tag = SingleVlanSlice::from_slice(&frame[ETHERNET + tags * TAG..]).ok()?;
        (ethertype, tags) = (tag.ether_type().0, tags + 1);
    }
    Some((tags, ethertype))
}

impl Seen {
    /// The packet of a frame; none if it has none that is whole in it.
    pub(crate) fn of(frame: &[u8]) -> Option<Self> {
        let (tags, ethertype) = tags(frame)?;
        let at = ETHERNET + tags * TAG;
        match ethertype {
            0x0800 => Self::v4(frame, at),
            0x86dd => Self::v6(frame, at),
            _ => None,
        }
        .filter(|seen| seen.at + seen.bytes <= frame.len() && seen.transport <= seen.end())
    }

    /// Offset of what is behind the packet.
    pub(crate) fn end(&self) -> usize {
        self.at + self.bytes
    }

    /// The packet's IP header at an offset, whether what it says is there or not.
    pub(crate) fn v4(frame: &[u8], at: usize) -> Option<Self> {
        let ip = Ipv4HeaderSlice::from_slice(frame.get(at..)?).ok()?;
        let offset = ip.fragments_offset().value();
        let part = match (offset, ip.more_fragments()) {
            (0, false) => Part::Whole,
            (0, true) => Part::First,
            _ => Part::Later,
        };
        Some(Self {
            is_v4: true,
            at,
            bytes: usize::from(ip.total_len()),
            source: ip.source_addr().into(),
            destination: ip.destination_addr().into(),
            protocol: ip.protocol().0,
            transport: at + usize::from(ip.ihl()) * 4,
            part,
        })
    }

    /// The same of IPv6.
    pub(crate) fn v6(frame: &[u8], at: usize) -> Option<Self> {
        let ip = Ipv6HeaderSlice::from_slice(frame.get(at..)?).ok()?;
        let mut seen = Self {
            is_v4: false,
            at,
            bytes: 40 + usize::from(ip.payload_length()),
            source: ip.source_addr().into(),
            destination: ip.destination_addr().into(),
            protocol: ip.next_header().0,
            transport: at + 40,
            part: Part::Whole,
        };
        while seen.part == Part::Whole && matches!(seen.protocol, 0 | ROUTING | FRAGMENT | 60) {
            let rest = frame.get(seen.transport..)?;
            if seen.protocol == FRAGMENT {
                let header = Ipv6FragmentHeaderSlice::from_slice(rest).ok()?;
                seen.part = match (header.fragment_offset().value(), header.more_fragments()) {
                    (0, false) => Part::Whole,
                    (0, true) => Part::First,
                    _ => Part::Later,
                };
                (seen.protocol, seen.transport) = (header.next_header().0, seen.transport + 8);
                break;
            }
            let header = Ipv6RawExtHeaderSlice::from_slice(rest).ok()?;
            if seen.protocol == ROUTING && rest[3] != 0 {
                // It is on its way to somewhere else yet.
                return None;
            }
            (seen.protocol, seen.transport) =
                (header.next_header().0, seen.transport + header.slice().len());
        }
        Some(seen)
    }

    /// Ports, of what has some.
    pub(crate) fn ports(&self, frame: &[u8]) -> Option<(u16, u16)> {
        let has = matches!(self.protocol, TCP | UDP | SCTP) && self.part != Part::Later;
        let bytes = frame.get(self.transport..self.transport + 4).filter(|_| has)?;
        let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Some((half(0), half(2)))
    }

    /// Hops that it has left.
    pub(crate) fn hops(&self, frame: &[u8]) -> u8 {
        frame[self.at + if self.is_v4 { 8 } else { 7 }]
    }

    /// Whether it is ICMP of its own family.
    pub(crate) fn is_icmp(&self) -> bool {
        self.protocol == if self.is_v4 { ICMP } else { ICMPV6 }
    }
}
