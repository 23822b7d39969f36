//! ICMP echo (RFC 792, RFC 4443 §4): its identification takes the place of the port.

use lvs_common::{
    net::{Be16, Be32},
    verdict::{Reason, Verdict},
    wire::{Frame, Icmp},
};

use crate::{
    ip::{End, Ip},
    packet::{Packet, Part},
    parse::MALFORMED,
};

const BROKEN: Verdict = Verdict::Drop(Reason::Broken);
/// Nothing that is answered.
const OTHER: Verdict = Verdict::Pass(Reason::OtherProtocol);

/// An echo request, whose source has the identification for a port, or a reply, whose destination has.
#[inline(always)]
pub(super) fn read<A: Ip, F: Frame>(frame: &F) -> Result<Packet<A>, Verdict> {
    let ip = A::header(frame)?;
    if ip.protocol != A::ICMP {
        return Err(OTHER);
    }
    let icmp = frame.at::<Icmp>(ip.payload).ok_or(MALFORMED)?;
    let (request, reply) = A::ECHO;
    if icmp.kind != request && icmp.kind != reply {
        return Err(OTHER);
    }
    let (id, none) = (identification(icmp), Be16::new(0));
    let (source_port, destination_port) =
        if icmp.kind == request { (id, none) } else { (none, id) };
    Ok(Packet {
        source: ip.source,
        destination: ip.destination,
        source_port,
        destination_port,
        protocol: A::ICMP,
        flags: icmp.kind,
        bytes: ip.bytes,
        transport: ip.payload,
        part: Part::Whole,
    })
}

/// Gives it other ends, and with them the identification.
#[inline(always)]
pub(super) fn rewrite<A: Ip, F: Frame>(
    frame: &mut F,
    packet: &Packet<A>,
    source: (A, Be16),
    destination: (A, Be16),
) -> Result<(), Verdict> {
    let left = A::edit(packet.source, source.0);
    let right = A::edit(packet.destination, destination.0);
    source.0.readdress(frame, End::Source, left)?;
    destination.0.readdress(frame, End::Destination, right)?;
    let id = if packet.flags == A::ECHO.0 { source.1 } else { destination.1 };
    let icmp = frame.at_mut::<Icmp>(packet.transport).ok_or(BROKEN)?;
    let edit = A::icmp_edit(left, right).half(identification(icmp), id);
    icmp.check = edit.apply(icmp.check);
    let [high, low] = id.get().to_be_bytes();
    let [.., a, b] = icmp.info.bytes();
    icmp.info = Be32::from_bytes([high, low, a, b]);
    Ok(())
}

#[inline(always)]
const fn identification(icmp: &Icmp) -> Be16 {
    let [high, low, ..] = icmp.info.bytes();
    Be16::new(u16::from_be_bytes([high, low]))
}
