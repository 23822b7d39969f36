//! The side road of fragments. Only the first of a datagram has ports: it goes the way of whole packets, and what
//! becomes of it becomes of the others, which are told by what they have in common with it.
//!
//! ```text
//!                 ┌─ first, not known ──▶ the way of whole packets ─▶ remembered
//!   frame ─▶ trace┼─ known, its piece fits ─▶ as the first: real server, client or stack
//!                 ├─ later, not known ──▶ held until the first has come
//!                 └─ its piece does not fit ─▶ dropped; in part there already: the datagram is given up
//! ```
//!
//! IPVS puts datagrams together before it looks at them; its counts are kept: a datagram is one packet.

mod left;
mod trace;

use lvs_common::{
    map::{Course, Datagram, DatagramKey, Method},
    net::{Addr, Be16, protocol},
    pieces::Piece,
    verdict::{Reason, Verdict},
    wire::{Chunk, Frame, Sctp, Tcp, Udp},
};

pub use self::{
    left::Left,
    trace::{Trace, trace},
};
use crate::{
    account,
    connection::Connection,
    ip::{Fragment, Ip, NETWORK},
    packet::{Packet, Part},
    parse,
    tables::Tables,
};

/// How far a fragment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// It has ports: [`way`](crate::way). Its packet is left.
    Looks,
    /// It goes where its first fragment went: [`send`](crate::send). Its packet and its connection are left.
    Request,
    /// It goes to the client: [`give_back`](crate::give_back). Its packet and the address that the client
    /// called are left.
    Reply,
    /// The first of its datagram has not come: it is held, or dropped as [`Reason::FragmentEarly`].
    Early,
    /// It is the stack's.
    Passed(Reason),
    /// It is gone.
    Dropped(Reason),
}

/// Where a fragment's packet is left, and what belongs to it.
// verifier: in a result, what is not there would be undefined, and kept on the stack nevertheless
pub trait Desk<A> {
    /// Leaves the packet.
    fn packet(&mut self, packet: Packet<A>);
    /// Leaves its connection.
    fn connection(&mut self, connection: Connection);
    /// Leaves the address that the client called.
    fn address(&mut self, address: A);
}

/// Where a fragment goes.
#[inline(always)]
pub fn onward<F: Frame, T: Tables>(
    frame: &F,
    left: &mut impl Desk<T::Address>,
    tables: &mut T,
) -> Onward {
    let fragment = match T::Address::fragment(frame) {
        Ok(fragment) => fragment,
        Err(refused) => return Onward::refused(refused),
    };
    let may_concern = tables.is_vip(fragment.destination) || tables.is_masqueraded(fragment.source);
    if !may_concern || !is_carried(fragment.protocol) {
        return Onward::Passed(Reason::Fragment);
    }
    let is_first = fragment.start == 0;
    if is_first && !fragment.has_more {
        // RFC 6946: an atomic fragment is a whole datagram.
        return begin(frame, &fragment, Part::Whole, left);
    }
    let bytes = (NETWORK + usize::from(fragment.bytes)).saturating_sub(fragment.at);
    #[expect(clippy::cast_possible_truncation, reason = "less than a packet's length")]
    let piece = Piece::new(fragment.start.into(), bytes as u32, !fragment.has_more);
    let Some(piece) = piece else { return Onward::Dropped(Reason::FragmentEndless) };
    if !is_first && u32::from(fragment.start) < least(fragment.protocol) {
        // RFC 3128: the first one would be without all of its header.
        return Onward::Dropped(Reason::FragmentTiny);
    }
    match tables.trace(&key(&fragment), piece) {
        Trace::Unknown if is_first => {
            let begun = begin(frame, &fragment, Part::First, left);
            if let Onward::Passed(_) | Onward::Dropped(_) = begun {
                ended(matches!(begun, Onward::Passed(_)), tables);
            }
            begun
        }
        Trace::Unknown => Onward::Early,
        Trace::Known => follow(&fragment, left, tables),
        Trace::Refused(reason) => Onward::Dropped(reason),
    }
}

/// Remembers where the datagram of a first fragment goes.
#[inline(always)]
pub(crate) fn requested<T: Tables>(
    packet: &Packet<T::Address>,
    connection: Connection,
    tables: &mut T,
) {
    if packet.part != Part::First {
        return;
    }
    let server = tables.dest(connection.dest).map_or(Addr::default(), |dest| dest.address);
    note(packet, tables, |datagram| {
        datagram.course = Course::REQUEST;
        datagram.dest = connection.dest;
        datagram.method = connection.method;
        datagram.server = server;
    });
}

/// Remembers which client the datagram of a first fragment goes to.
#[inline(always)]
pub(crate) fn replied<T: Tables>(
    packet: &Packet<T::Address>,
    dest: u32,
    virtual_address: T::Address,
    tables: &mut T,
) {
    if packet.part != Part::First {
        return;
    }
    note(packet, tables, |datagram| {
        datagram.course = Course::REPLY;
        datagram.dest = dest;
        datagram.method = Method::MASQ;
        datagram.virtual_address = virtual_address.wide();
    });
}

/// Remembers what became of a first fragment that was not forwarded, before it was known where to.
#[inline(always)]
pub fn ended<T: Tables>(is_passed: bool, tables: &mut T) {
    if let Some(datagram) = tables.datagram() {
        datagram.course = if is_passed { Course::STACK } else { Course::REFUSED };
    }
    tables.remember();
}

/// Whether a service may have the protocol.
#[inline(always)]
const fn is_carried(number: u8) -> bool {
    matches!(number, protocol::TCP | protocol::UDP | protocol::SCTP)
}

#[inline(always)]
fn key<A: Ip>(fragment: &Fragment<A>) -> DatagramKey {
    let (id, protocol) = fragment.key;
    DatagramKey {
        source: fragment.source.wide(),
        destination: fragment.destination.wide(),
        id,
        protocol,
        pad: [0; 3],
    }
}

/// Bytes of a protocol's header that a first fragment must have.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "headers")]
const fn least(number: u8) -> u32 {
    match number {
        protocol::TCP => size_of::<Tcp>() as u32,
        protocol::UDP => size_of::<Udp>() as u32,
        protocol::SCTP => (size_of::<Sctp>() + size_of::<Chunk>()) as u32,
        _ => 0,
    }
}

/// What a fragment carries that a datagram begins with.
#[inline(always)]
fn begin<A: Ip, F: Frame>(
    frame: &F,
    fragment: &Fragment<A>,
    part: Part,
    left: &mut impl Desk<A>,
) -> Onward {
    let header = fragment.header();
    if NETWORK + usize::from(fragment.bytes) < header.payload + least(header.protocol) as usize {
        return Onward::Dropped(Reason::FragmentTiny);
    }
    match parse::transport(frame, header) {
        Ok(packet) => {
            left.packet(Packet { part, ..packet });
            Onward::Looks
        }
        Err(refused) => Onward::refused(refused),
    }
}

/// The way of a later fragment of a datagram that is known.
#[inline(always)]
fn follow<T: Tables>(
    fragment: &Fragment<T::Address>,
    left: &mut impl Desk<T::Address>,
    tables: &mut T,
) -> Onward {
    const BROKEN: Reason = Reason::Broken;
    let Some(known) = tables.datagram() else { return Onward::Dropped(BROKEN) };
    let (course, method, slot) = (known.course, known.method, known.dest);
    let (server, virtual_address) = (known.server, known.virtual_address);
    let packet = Packet {
        source: fragment.source,
        destination: fragment.destination,
        source_port: known.source_port,
        destination_port: known.destination_port,
        protocol: known.protocol,
        flags: 0,
        bytes: fragment.bytes,
        transport: fragment.at,
        part: Part::Later,
    };
    match course {
        Course::REQUEST => {
            let Some(dest) = tables.dest(slot) else { return Onward::Dropped(BROKEN) };
            if !dest.is_available() || dest.address != server {
                return Onward::Dropped(Reason::DestRemoved);
            }
            let next_hop = dest.next_hop;
            let connection = Connection { dest: slot, next_hop, method, keeps_port: true };
            left.packet(packet);
            left.connection(connection);
            Onward::Request
        }
        Course::REPLY => {
            account::reply(&packet, slot, tables);
            left.packet(packet);
            left.address(T::Address::narrow(virtual_address));
            Onward::Reply
        }
        Course::STACK => Onward::Passed(Reason::Fragment),
        _ => Onward::Dropped(Reason::FragmentRefused),
    }
}

impl Onward {
    #[inline(always)]
    fn refused(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass(reason) => Self::Passed(reason),
            Verdict::Drop(reason) => Self::Dropped(reason),
            Verdict::Transmit | Verdict::Redirect(_) => Self::Dropped(Reason::Broken),
        }
    }
}

#[inline(always)]
fn note<T: Tables>(packet: &Packet<T::Address>, tables: &mut T, write: impl FnOnce(&mut Datagram)) {
    let ports: [Be16; 2] = [packet.source_port, packet.destination_port];
    if let Some(datagram) = tables.datagram() {
        [datagram.source_port, datagram.destination_port] = ports;
        datagram.protocol = packet.protocol;
        write(datagram);
    }
    tables.remember();
}
