//! What comes back to health checks from real servers: answers, to the device that the checks left by.

use lvs_common::{
    map::{Method, NextHop, ProbeFlow, ProbeKey, probe::DEVICE_MAC},
    sctp_state::Event,
    verdict::{Reason, Verdict},
    wire::{Ethernet, Frame, Tcp},
};

use super::{Probes, end, is_taken, read, translate};
use crate::{
    forward::send::{self, BROKEN},
    ip::Ip,
    packet::Packet,
};

/// Takes an answer to whoever waits for it; none if it is no answer.
#[inline(always)]
pub fn answered<F: Frame, T: Probes>(frame: &mut F, tables: &mut T) -> Option<Verdict> {
    let packet = read::<T::Address, F>(frame).ok()?;
    if is_taken(packet.destination_port) {
        let key = ProbeKey {
            peer: packet.source.wide(),
            own: packet.destination.wide(),
            peer_port: packet.source_port,
            own_port: packet.destination_port,
            protocol: packet.protocol,
            pad: [0; 3],
        };
        if let Some(flow) = tables.probe(&key).map(|flow| *flow) {
            return Some(deliver(frame, &packet, &flow, tables).unwrap_or_else(|refused| refused));
        }
    }
    if is_taken(packet.source_port) {
        let key = ProbeKey {
            peer: packet.destination.wide(),
            own: packet.source.wide(),
            peer_port: packet.destination_port,
            own_port: packet.source_port,
            protocol: packet.protocol,
            pad: [0; 3],
        };
        let flow = tables.probe(&key).map(|flow| *flow)?;
        if let Some(probed) = tables.probed(&end(&flow, packet.protocol)) {
            probed.looped = 1;
        }
        return Some(Verdict::Drop(Reason::ProbeLooped));
    }
    None
}

#[inline(always)]
fn deliver<F: Frame, T: Probes>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    flow: &ProbeFlow,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    let is_detour = is_detour(frame, flow, tables)?;
    if let Some(probed) = tables.probed(&end(flow, packet.protocol)) {
        if is_detour {
            probed.detoured = 1;
        } else {
            probed.answered = 1;
        }
        if is_refusal(packet) {
            probed.refused = 1;
        }
    }
    if is_detour {
        return Err(Verdict::Drop(Reason::ProbeDetoured));
    }
    let source = (T::Address::narrow(flow.stand_in), flow.port);
    let destination = (T::Address::narrow(flow.near), flow.near_port);
    translate(frame, packet, source, destination, tables)?;
    home(frame, tables)
}

/// To the device that checks leave by.
#[inline(always)]
pub(crate) fn home<F: Frame, T: Probes>(frame: &mut F, tables: &T) -> Result<Verdict, Verdict> {
    frame.at_mut::<Ethernet>(0).ok_or(BROKEN)?.destination = DEVICE_MAC;
    Ok(Verdict::Redirect(tables.tunables().probes))
}

/// Whether an answer of NAT has come from another neighbour and by another interface than the
/// real server is reached by: then its gateway is not the director.
#[inline(always)]
fn is_detour<F: Frame, T: Probes>(
    frame: &F,
    flow: &ProbeFlow,
    tables: &T,
) -> Result<bool, Verdict> {
    let dest = tables.dest(flow.dest).ok_or(BROKEN)?;
    if dest.method != Method::MASQ {
        return Ok(false);
    }
    let hop: &NextHop = send::hop(dest.next_hop, tables)?;
    let ethernet = frame.at::<Ethernet>(0).ok_or(BROKEN)?;
    Ok(frame.ingress() != hop.interface && ethernet.source != hop.destination)
}

#[inline(always)]
fn is_refusal<A: Ip>(packet: &Packet<A>) -> bool {
    if packet.is_tcp() {
        return packet.flags & Tcp::RST != 0;
    }
    let is_sctp = !packet.is_udp() && packet.protocol != A::ICMP;
    is_sctp && packet.flags == Event::ABORT.number()
}
