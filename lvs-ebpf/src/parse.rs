//! 1. What kind of packet is it? Frame → [`Packet`], or on to the stack.
//!
//! Nothing is known yet of whether the packet is ours, so nothing is dropped here: the stack judges
//! malformed packets as it would without us.

use lvs_common::{
    net::{Be16, protocol},
    sctp_state::Event,
    verdict::{Reason, Verdict},
    wire::{Chunk, Ethernet, Frame, Sctp, Tcp, Udp, chunk},
};

use crate::{
    ip::{Header, Ip, NETWORK},
    packet::{Packet, Part},
};

pub(crate) const MALFORMED: Verdict = Verdict::Pass(Reason::Malformed);

/// What a frame carries behind all its headers.
#[inline(always)]
pub(crate) fn parse<A: Ip, F: Frame>(frame: &F) -> Result<Packet<A>, Verdict> {
    network::<A, F>(frame)?;
    transport(frame, A::header(frame)?)
}

/// The same, of a packet without extension headers; see [`Ip::plain`].
#[inline(always)]
pub(crate) fn parse_plain<A: Ip, F: Frame>(frame: &F) -> Result<Packet<A>, Verdict> {
    network::<A, F>(frame)?;
    transport(frame, A::plain(frame)?)
}

/// Fails unless it is a packet of the family.
#[inline(always)]
fn network<A: Ip, F: Frame>(frame: &F) -> Result<(), Verdict> {
    let ethernet = frame.at::<Ethernet>(0).ok_or(MALFORMED)?;
    if ethernet.ethertype != A::ETHERTYPE {
        return Err(Verdict::Pass(Reason::NotIp));
    }
    Ok(())
}

/// What the payload's own header says.
#[inline(always)]
pub(crate) fn transport<A: Ip, F: Frame>(frame: &F, ip: Header<A>) -> Result<Packet<A>, Verdict> {
    let transport = ip.payload;
    let (source_port, destination_port, flags, least) = match ip.protocol {
        protocol::TCP => {
            let tcp = frame.at::<Tcp>(transport).ok_or(MALFORMED)?;
            (tcp.source, tcp.destination, tcp.flags, size_of::<Tcp>())
        }
        protocol::UDP => {
            let udp = frame.at::<Udp>(transport).ok_or(MALFORMED)?;
            if A::UDP_IS_SUMMED && udp.check == Be16::new(0) {
                return Err(MALFORMED);
            }
            (udp.source, udp.destination, 0, size_of::<Udp>())
        }
        protocol::SCTP => {
            let sctp = frame.at::<Sctp>(transport).ok_or(MALFORMED)?;
            let event = event(frame, transport + size_of::<Sctp>()).ok_or(MALFORMED)?;
            let least = size_of::<Sctp>() + size_of::<Chunk>();
            (sctp.source, sctp.destination, event.number(), least)
        }
        _ => return Err(Verdict::Pass(Reason::OtherProtocol)),
    };
    if NETWORK + (ip.bytes as usize) < transport + least {
        return Err(MALFORMED);
    }
    Ok(Packet {
        source: ip.source,
        destination: ip.destination,
        source_port,
        destination_port,
        protocol: ip.protocol,
        flags,
        bytes: ip.bytes,
        transport,
        part: Part::Whole,
    })
}

/// What the chunks from an offset on do to an association: the first, but an ABORT behind a cookie.
#[inline(always)]
fn event<F: Frame>(frame: &F, offset: usize) -> Option<Event> {
    let first = frame.at::<Chunk>(offset)?;
    if first.kind != chunk::COOKIE_ECHO && first.kind != chunk::COOKIE_ACK {
        return Some(Event::of(first.kind));
    }
    // verifier: an offset within a frame
    let next = offset + ((first.length.get() as usize + 3) & 0x7fc);
    let aborts = frame.at::<Chunk>(next).is_some_and(|second| second.kind == chunk::ABORT);
    Some(if aborts { Event::ABORT } else { Event::of(first.kind) })
}
