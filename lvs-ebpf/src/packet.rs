//! What the path knows of a packet.

use lvs_common::{
    conntable::{Key, ends::Ends, word},
    net::{Addr6, Be16, protocol},
    sched::Hint,
    sctp_state::Event,
    tcp_state::State,
    wire::Tcp,
};

use crate::{
    ip::{Ip, NETWORK},
    tables::Tables,
};

/// What of its datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its first fragment, which has the transport header.
    First,
    /// A later fragment; its ports are those of the first.
    Later,
}

/// What `parse` learnt; nothing in it is derived later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<A> {
    /// Source address.
    pub source: A,
    /// Destination address.
    pub destination: A,
    /// Source port.
    pub source_port: Be16,
    /// Destination port.
    pub destination_port: Be16,
    /// TCP, UDP or SCTP.
    pub protocol: u8,
    /// TCP's control bits, or the number of SCTP's [`Event`]; 0 in UDP.
    pub flags: u8,
    /// IP header and payload, bytes.
    pub bytes: u16,
    /// Offset of the transport header in the frame, bytes; of a later fragment's data.
    pub transport: usize,
    /// What of its datagram it is.
    pub part: Part,
}

impl<A: Ip> Packet<A> {
    /// Whether it is TCP.
    #[inline(always)]
    #[must_use]
    pub const fn is_tcp(&self) -> bool {
        self.protocol == protocol::TCP
    }

    /// Whether it is UDP.
    #[inline(always)]
    #[must_use]
    pub const fn is_udp(&self) -> bool {
        self.protocol == protocol::UDP
    }

    /// What it does to an association of SCTP.
    #[inline(always)]
    pub(crate) const fn event(&self) -> Event {
        Event::from_number(self.flags)
    }

    /// Whether it asks for a connection: a SYN, or an INIT of SCTP.
    #[inline(always)]
    #[must_use]
    pub const fn asks(&self) -> bool {
        let init = self.flags == Event::INIT.number();
        if self.is_tcp() { self.flags & Tcp::SYN != 0 } else { !self.is_udp() && init }
    }

    /// The state of a connection that has not seen it yet.
    #[inline(always)]
    pub(crate) const fn none(&self) -> State {
        if self.is_tcp() || self.is_udp() { State::NONE } else { State::SCTP_NONE }
    }

    /// Packets and bytes that it counts for: as many as the datagram would that IPVS puts together.
    #[inline(always)]
    pub(crate) fn traffic(&self) -> (u64, u64) {
        let bytes = u64::from(self.bytes);
        match self.part {
            Part::Whole => (1, bytes),
            Part::First => (1, bytes.wrapping_sub(A::FRAGMENT_BYTES)),
            Part::Later => (0, bytes.wrapping_sub((self.transport - NETWORK) as u64)),
        }
    }

    /// The connection that it belongs to, as a request.
    #[inline(always)]
    #[must_use]
    pub fn key<T: Tables<Address = A>>(&self, tables: &T) -> Key {
        Key::new(
            self.protocol_code(),
            tables.short(self.source),
            self.source_port,
            tables.short(self.destination),
            self.destination_port,
        )
    }

    /// The sum over the pseudo-header of its segment or datagram.
    #[inline(always)]
    #[must_use]
    pub fn pseudo(&self) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "at most 241")]
        let header = (self.transport - NETWORK) as u16;
        let length = self.bytes.wrapping_sub(header);
        A::pseudo(self.source, self.destination, self.protocol, length)
    }

    /// The addresses that a request is between.
    #[inline(always)]
    #[must_use]
    pub fn ends(&self) -> Ends {
        Ends {
            client: Addr6::new(self.source.wide()),
            virtual_address: Addr6::new(self.destination.wide()),
        }
    }

    /// What schedulers that hash want to know of it.
    #[inline(always)]
    #[must_use]
    pub fn hint(&self) -> Hint {
        Hint {
            client: self.source.fold().get(),
            client_port: self.source_port.get(),
            destination: self.destination.fold().get(),
        }
    }

    /// As a reply: the client's part of the key, and the peer's word.
    #[inline(always)]
    #[must_use]
    pub fn reply_key<T: Tables<Address = A>>(&self, tables: &T) -> (u64, u64) {
        let client = word::end(tables.short(self.destination), self.destination_port);
        let peer = word::end(tables.short(self.source), self.source_port);
        (client | self.protocol_code() << 48, peer)
    }

    #[inline(always)]
    const fn protocol_code(&self) -> u64 {
        match self.protocol {
            protocol::TCP => word::TCP,
            protocol::UDP => word::UDP,
            _ => word::SCTP,
        }
    }
}
