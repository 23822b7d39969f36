//! The packet's way through the director.
//!
//! ```text
//!   frame ─▶ parse ─▶ is it ours? ─▶ connection? ──yes──────────────────▶ forward ─▶ out
//!              │          │              │ no                                ▲
//!              │          │              └▶ classify ─▶ schedule ─▶ begin ───┘
//!              ▼          ▼                    │           │          │
//!            stack      stack                stack       drop       drop    each with a Reason
//! ```
//!
//! A stage is a file, in the order a packet meets them. The path is safe code, generic over the
//! packet's memory ([`Frame`]), the maps ([`Tables`]) and by them over the family ([`ip`]): the
//! program, the tests and the fuzzer run the same lines.
#![cfg_attr(not(any(test, feature = "host")), no_std)]
#![forbid(unsafe_code)]

mod account;
mod classify;
mod connection;
mod forward;
pub mod fragment;
#[cfg(any(test, feature = "host"))]
pub mod host;
pub mod icmp;
pub mod ip;
pub mod open;
pub mod packet;
mod parse;
pub mod persist;
pub mod probe;
pub mod schedule;
pub mod tables;
pub mod vlan;

use lvs_common::{
    map::Method,
    verdict::{Reason, Verdict},
    wire::{Ethernet, Frame},
};

pub use self::{
    connection::Connection,
    icmp::{
        own::tell, probed::complained, relate, relate_incoming, relate_outgoing, relate_tunneled,
    },
    probe::Probes,
};
use crate::{
    fragment::{Left, Onward, onward},
    ip::Ip,
    packet::{Packet, Part},
    tables::Tables,
};

/// Directs one frame.
#[inline(always)]
pub fn direct<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Verdict {
    let mut step = known(frame, tables);
    let mut begins_datagram = false;
    let verdict = loop {
        step = match step {
            Step::Done(verdict) => break verdict,
            Step::Begins(packet) => match open::open(&packet, tables) {
                Ok(connection) => send(frame, &packet, connection, tables),
                Err(refused) => Step::Done(refused),
            },
            Step::Other => other(frame, tables),
            Step::Wraps(packet, connection) => Step::Done(wrap(frame, &packet, connection, tables)),
            Step::Fragment => fragment(frame, &mut begins_datagram, tables),
        }
    };
    if begins_datagram && let Verdict::Pass(_) | Verdict::Drop(_) = verdict {
        fragment::ended(matches!(verdict, Verdict::Pass(_)), tables);
    }
    account::verdict(verdict, tables);
    verdict
}

/// How far a packet has come.
pub enum Step<A> {
    /// To the end.
    Done(Verdict),
    /// It may begin a connection: [`open::open`], then [`send`].
    Begins(Packet<A>),
    /// It is of no protocol that a service has, as far as its first header tells: [`other`].
    Other,
    /// Its real server is at the end of a tunnel: [`wrap`].
    Wraps(Packet<A>, Connection),
    /// It is a fragment: [`onward`](fragment::onward).
    Fragment,
}

/// The way of packets that are part of a connection.
#[inline(always)]
pub fn known<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Step<T::Address> {
    match parse::parse_plain(frame) {
        Ok(packet) => way(frame, &packet, tables).unwrap_or_else(Step::Done),
        Err(Verdict::Pass(Reason::OtherProtocol)) => Step::Other,
        Err(Verdict::Pass(Reason::Fragment)) => Step::Fragment,
        Err(refused) => Step::Done(refused),
    }
}

/// The way of packets with extension headers, and of ICMP errors.
#[inline(always)]
pub fn other<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Step<T::Address> {
    match packet(frame) {
        Ok(packet) => way(frame, &packet, tables).unwrap_or_else(Step::Done),
        Err(Verdict::Pass(Reason::OtherProtocol)) => relate(frame, tables),
        Err(Verdict::Pass(Reason::Fragment)) => Step::Fragment,
        Err(refused) => Step::Done(refused),
    }
}

/// Sends a request on its connection's way.
#[inline(always)]
pub fn send<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    connection: Connection,
    tables: &mut T,
) -> Step<T::Address> {
    account::request(packet, connection.dest, tables);
    fragment::requested(packet, connection, tables);
    if connection.method == Method::TUNNEL {
        return Step::Wraps(*packet, connection);
    }
    let verdict = forward::request(frame, packet, connection, tables);
    Step::Done(verdict.unwrap_or_else(|refused| refused))
}

/// Sends a packet to its connection's real server inside another one.
#[inline(always)]
pub fn wrap<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    connection: Connection,
    tables: &mut T,
) -> Verdict {
    forward::tun::send(frame, packet, connection, tables).unwrap_or_else(|refused| refused)
}

/// The way of a fragment.
#[inline(always)]
fn fragment<F: Frame, T: Tables>(
    frame: &mut F,
    begins_datagram: &mut bool,
    tables: &mut T,
) -> Step<T::Address> {
    let mut left = Left::default();
    let onward = onward(frame, &mut left, tables);
    match (onward, left) {
        (Onward::Looks, Left { packet: Some(packet), .. }) => {
            *begins_datagram = packet.part == Part::First;
            way(frame, &packet, tables).unwrap_or_else(Step::Done)
        }
        (Onward::Request, Left { packet: Some(packet), connection: Some(connection), .. }) => {
            send(frame, &packet, connection, tables)
        }
        (Onward::Reply, Left { packet: Some(packet), address: Some(address), .. }) => {
            Step::Done(give_back(frame, &packet, address, tables))
        }
        (Onward::Early, _) => Step::Done(Verdict::Drop(Reason::FragmentEarly)),
        (Onward::Passed(reason), _) => Step::Done(Verdict::Pass(reason)),
        (Onward::Dropped(reason), _) => Step::Done(Verdict::Drop(reason)),
        _ => Step::Done(Verdict::Drop(Reason::Broken)),
    }
}

/// Sends a reply's later fragment to the client, from the address that it called.
#[inline(always)]
pub fn give_back<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    address: T::Address,
    tables: &mut T,
) -> Verdict {
    let sent = forward::reply(frame, packet, (address, packet.source_port), tables);
    sent.unwrap_or_else(|refused| refused)
}

/// Counts the reason of a frame that was not forwarded.
#[inline(always)]
pub fn settle<T: Tables>(verdict: Verdict, tables: &mut T) {
    account::verdict(verdict, tables);
}

#[inline(always)]
fn way<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    tables: &mut T,
) -> Result<Step<T::Address>, Verdict> {
    let (is_request, connection) = request(packet, tables)?;
    if let Some(connection) = connection {
        return Ok(send(frame, packet, connection, tables));
    }
    let verdict = rest(frame, packet, is_request, tables)?;
    Ok(verdict.map_or(Step::Begins(*packet), Step::Done))
}

/// What a frame carries that may concern us, behind all its headers.
///
/// # Errors
/// Nothing.
#[inline(always)]
pub fn packet<A: Ip, F: Frame>(frame: &F) -> Result<Packet<A>, Verdict> {
    parse::parse(frame)
}

/// Whether a packet may be a request, and its connection if it is one's.
///
/// # Errors
/// Its connection's real server is gone.
#[inline(always)]
pub fn request<T: Tables>(
    packet: &Packet<T::Address>,
    tables: &mut T,
) -> Result<(bool, Option<Connection>), Verdict> {
    let is_request = tables.is_vip(packet.destination);
    let connection = if is_request { connection::find(packet, tables)? } else { None };
    Ok((is_request, connection))
}

/// As far as a packet goes that is no connection's request; `None`: it may begin one, or be an answer to a
/// health check.
///
/// # Errors
/// It is none of ours, or a reply that cannot be sent.
#[inline(always)]
pub fn rest<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    is_request: bool,
    tables: &mut T,
) -> Result<Option<Verdict>, Verdict> {
    let is_reply = tables.is_masqueraded(packet.source);
    if is_reply && let Some(reply) = connection::find_reply(packet, tables) {
        account::reply(packet, reply.dest, tables);
        fragment::replied(packet, reply.dest, reply.virtual_end.0, tables);
        return forward::reply(frame, packet, reply.virtual_end, tables).map(Some);
    }
    if is_request {
        let ethernet = frame.at::<Ethernet>(0).ok_or(parse::MALFORMED)?;
        let is_host = tables.is_host(ethernet.destination);
        return if is_host { Ok(None) } else { Err(Verdict::Pass(Reason::NotHost)) };
    }
    if probe::may_answer(packet, tables) {
        return Ok(None);
    }
    Err(Verdict::Pass(if is_reply { Reason::NotReply } else { Reason::NotOurs }))
}
