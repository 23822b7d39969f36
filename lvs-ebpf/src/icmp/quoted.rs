//! The packet that an error is about, as far as the error quotes it.

use lvs_common::{
    net::{Be16, protocol},
    wire::{Frame, Udp},
};

use crate::{
    ip::{Header, Ip, NETWORK},
    packet::{Packet, Part},
};

/// A packet's beginning.
#[derive(Clone, Copy)]
pub(super) struct Quoted<A> {
    pub(super) source: A,
    pub(super) destination: A,
    pub(super) protocol: u8,
    /// Offset of its IP header.
    pub(super) at: usize,
    /// Offset of what is behind.
    pub(super) transport: usize,
    /// The first two words there: the ports, if it is TCP, UDP or SCTP.
    pub(super) source_port: Be16,
    pub(super) destination_port: Be16,
}

impl<A: Ip> Quoted<A> {
    /// The packet that is quoted at an offset, in the packet with this header; none if not even the
    /// first eight bytes behind the IP header are there.
    #[inline(always)]
    pub(super) fn read<F: Frame>(frame: &F, at: usize, of: &Header<A>) -> Option<Self> {
        let ip = A::quoted(frame, at)?;
        // TCP and SCTP have their ports at the same place.
        let ports = frame.at::<Udp>(ip.payload)?;
        let end = ip.payload + size_of::<Udp>();
        (end <= NETWORK + usize::from(of.bytes)).then_some(Self {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol,
            at,
            transport: ip.payload,
            source_port: ports.source,
            destination_port: ports.destination,
        })
    }

    /// As it is.
    #[inline(always)]
    pub(super) fn packet(&self) -> Option<Packet<A>> {
        self.is_known().then_some(Packet {
            source: self.source,
            destination: self.destination,
            source_port: self.source_port,
            destination_port: self.destination_port,
            protocol: self.protocol,
            flags: 0,
            bytes: 0,
            transport: self.transport,
            part: Part::Whole,
        })
    }

    /// With its ends exchanged: the request that it answers, or the reply to it.
    #[inline(always)]
    pub(super) fn turned(&self) -> Option<Packet<A>> {
        self.packet().map(|packet| Packet {
            source: packet.destination,
            destination: packet.source,
            source_port: packet.destination_port,
            destination_port: packet.source_port,
            ..packet
        })
    }

    #[inline(always)]
    const fn is_known(&self) -> bool {
        matches!(self.protocol, protocol::TCP | protocol::UDP | protocol::SCTP)
    }
}
