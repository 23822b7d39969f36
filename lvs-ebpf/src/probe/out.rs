//! From a stand-in to the real server: translated to what a client's packet would be at the director's
//! exit, and sent by the service's forwarding method.
//!
//! | method | from | to |
//! |---|---|---|
//! | DR, TUN | the director's address toward the real server | the VIP, on the real server |
//! | NAT | the VIP | the RIP |
//!
//! With NAT the answer goes to the VIP, so that it has to take the way of a client's: through the real
//! server's gateway.

use lvs_common::{
    map::{Family, Method, ProbeFlow, ProbeKey, probe::FIRST_PORT, probe::PORTS},
    net::Be16,
    verdict::{Reason, Verdict},
    wire::Frame,
};

use super::{Probes, end, read, translate};
use crate::{
    Step,
    connection::Connection,
    forward::{self, send},
    ip::Ip,
    packet::Packet,
};

const NO_STAND_IN: Verdict = Verdict::Drop(Reason::NoStandIn);
const NO_OWN_ADDRESS: Verdict = Verdict::Drop(Reason::NoOwnAddress);

/// Ports that a flow may have; of them it takes one that no other has, or not any more.
const CHOICES: u16 = 8;
/// After so long without a packet from the one who checks, seconds, a flow may lose its port.
const SILENCE_S: u32 = 2;

/// Where a packet goes.
#[derive(Clone, Copy)]
pub struct Aim<A> {
    /// The packet as it came.
    packet: Packet<A>,
    dest: u32,
    method: Method,
    next_hop: u32,
    own: (A, Be16),
    peer: (A, Be16),
}

/// Where a frame goes that a program of the host sent to a stand-in.
///
/// # Errors
/// Nowhere.
#[inline(always)]
pub fn aim<F: Frame, T: Probes>(frame: &F, tables: &mut T) -> Result<Aim<T::Address>, Verdict> {
    let packet = read::<T::Address, F>(frame).map_err(|_other| NO_STAND_IN)?;
    let mut aim = aim_at(packet, tables)?;
    aim.own.1 = own_port(&aim, tables);
    Ok(aim)
}

/// Sends it there.
#[inline(always)]
pub fn send<F: Frame, T: Probes>(
    frame: &mut F,
    aim: &Aim<T::Address>,
    tables: &mut T,
) -> Step<T::Address> {
    sent(frame, aim, tables).unwrap_or_else(Step::Done)
}

#[inline(always)]
fn sent<F: Frame, T: Probes>(
    frame: &mut F,
    aim: &Aim<T::Address>,
    tables: &mut T,
) -> Result<Step<T::Address>, Verdict> {
    // verifier: an offset within a frame
    let packet = Packet { transport: aim.packet.transport & 0xff, ..aim.packet };
    let packet = translate(frame, &packet, aim.own, aim.peer, tables)?;
    let is_tunnel = aim.method == Method::TUNNEL;
    let connection = Connection {
        dest: aim.dest,
        next_hop: aim.next_hop,
        method: if is_tunnel { aim.method } else { Method::DIRECT_ROUTE },
        keeps_port: false,
    };
    if is_tunnel {
        return Ok(Step::Wraps(packet, connection));
    }
    forward::request(frame, &packet, connection, tables).map(Step::Done)
}

#[inline(always)]
fn aim_at<T: Probes>(packet: Packet<T::Address>, tables: &T) -> Result<Aim<T::Address>, Verdict> {
    let slot = packet.destination.slot(tables.tunables()).ok_or(NO_STAND_IN)?;
    let dest = tables.dest(slot).ok_or(NO_STAND_IN)?;
    let service = &dest.service;
    // A firewall mark is of no protocol, and has no address.
    if !dest.is_probed() || service.family != T::Address::FAMILY || service.protocol == 0 {
        return Err(NO_STAND_IN);
    }
    let vip = T::Address::narrow(service.address);
    let port = packet.destination_port;
    let (method, next_hop) = (dest.method, dest.next_hop);
    let (own, peer) = if method == Method::MASQ {
        let is_its = port == service.port && dest.port != Be16::new(0);
        let is_echo = packet.protocol == T::Address::ICMP;
        let port = if is_its && !is_echo { dest.port } else { port };
        (vip, (T::Address::narrow(dest.address), port))
    } else {
        let from = send::hop(next_hop, tables)?.from;
        let own = T::Address::narrow(from);
        let is_of_family = from.is_v4() == (T::Address::FAMILY == Family::V4);
        if !is_of_family || own == vip || !own.is_unicast() {
            return Err(NO_OWN_ADDRESS);
        }
        (own, (vip, port))
    };
    Ok(Aim { packet, dest: slot, method, next_hop, own: (own, Be16::new(0)), peer })
}

/// The port that a flow has on its way; a new one is remembered.
#[inline(always)]
fn own_port<T: Probes>(aim: &Aim<T::Address>, tables: &mut T) -> Be16 {
    let packet = &aim.packet;
    let now = tables.now();
    let flow = ProbeFlow {
        stand_in: packet.destination.wide(),
        near: packet.source.wide(),
        port: packet.destination_port,
        near_port: packet.source_port,
        dest: aim.dest,
        last: now,
        pad: 0,
    };
    let mut key = ProbeKey {
        peer: aim.peer.0.wide(),
        own: aim.own.0.wide(),
        peer_port: aim.peer.1,
        own_port: Be16::new(0),
        protocol: packet.protocol,
        pad: [0; 3],
    };
    let first = first_port(&flow);
    // verifier: two loops without a memory of what they have seen
    for choice in 0..CHOICES {
        key.own_port = Be16::new(first + choice);
        if let Some(known) = tables.probe(&key)
            && is_same(known, &flow)
        {
            known.last = now;
            return key.own_port;
        }
    }
    let silence = tables.tunables().ticks_per_second.wrapping_mul(SILENCE_S);
    for choice in 0..CHOICES {
        key.own_port = Be16::new(first + choice);
        let is_over = |known: &mut ProbeFlow| now.wrapping_sub(known.last) > silence;
        if tables.probe(&key).is_none_or(is_over) {
            break;
        }
    }
    tables.begin_probe(&key, &flow, &end(&flow, packet.protocol));
    key.own_port
}

/// Real servers and sockets are spread over all ports.
#[inline(always)]
fn first_port(flow: &ProbeFlow) -> u16 {
    let socket = u32::from(flow.near_port.raw()) << 16 | u32::from(flow.port.raw());
    let mixed = flow.dest.wrapping_mul(0x9e37_79b1) ^ socket.wrapping_mul(0x85eb_ca6b);
    #[expect(clippy::cast_possible_truncation, reason = "below the factor")]
    let above = ((u64::from(mixed) * u64::from(PORTS - CHOICES)) >> 32) as u16;
    FIRST_PORT + above
}

// verifier: one branch
#[inline(always)]
#[expect(clippy::many_single_char_names, reason = "words of two addresses")]
fn is_same(known: &ProbeFlow, flow: &ProbeFlow) -> bool {
    let [a, b, c, d] = known.near.words();
    let [e, f, g, h] = flow.near.words();
    let addresses =
        (a.raw() ^ e.raw()) | (b.raw() ^ f.raw()) | (c.raw() ^ g.raw()) | (d.raw() ^ h.raw());
    let ports =
        (known.near_port.raw() ^ flow.near_port.raw()) | (known.port.raw() ^ flow.port.raw());
    addresses | u32::from(ports) | (known.dest ^ flow.dest) == 0
}
