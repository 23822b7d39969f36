//! TUN, tunneling (`ip_vs_tunnel_xmit`): the packet goes to the real server as it is, one hop older,
//! inside another one. The real server takes it out, has the VIP on some device, and replies to the
//! client by itself.
//!
//! ```text
//!   Ethernet │ IP, DIP → RIP │ ipip: nothing │ the packet
//!                            │ gue: UDP, GUE │
//!                            │ gre: GRE      │
//! ```

mod gre;
mod gue;
mod outer;

use lvs_common::{
    map::{Dest, NextHop, tunnel},
    net::{Addr6, Be16, Be32, checksum::fold, protocol},
    verdict::{Reason, Verdict},
    wire::{Ethernet, Frame, Udp},
};

use super::send::{self, BROKEN};
use crate::{
    connection::Connection,
    ip::{Head, Ip, NETWORK},
    packet::{Packet, Part},
    tables::Tables,
};

/// Offset of what follows the outer IP header.
#[inline(always)]
const fn behind<O: Ip>() -> usize {
    NETWORK + O::BYTES as usize
}

const TOO_LONG: Verdict = Verdict::Drop(Reason::OverMtu);

/// To the real server, in packets of its address's family.
#[inline(always)]
pub(crate) fn send<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    connection: Connection,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    let dest = tables.dest(connection.dest).ok_or(BROKEN)?;
    let hop = send::hop(connection.next_hop, tables)?;
    if dest.address.is_v4() {
        within::<Be32, F, T>(frame, packet, (dest, hop), tables)
    } else {
        within::<Addr6, F, T>(frame, packet, (dest, hop), tables)
    }
}

#[inline(always)]
fn within<O: Ip, F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    (dest, hop): (&Dest, &NextHop),
    tables: &T,
) -> Result<Verdict, Verdict> {
    let (kind, summed) = (dest.tunnel & tunnel::KIND, is_summed(dest));
    let room = headers(dest).ok_or(BROKEN)?;

    // As in IPVS, life ends before length matters.
    T::Address::age(frame)?;
    let carried = T::Address::carried(frame, NETWORK)?;
    let bytes = u32::from(packet.bytes) + u32::from(room);
    // A generic hook sees merged segments; only the interface that they came in by takes them as such.
    let merged =
        tables.is_generic() && u32::from(packet.bytes) > hop.mtu && send::reflects(frame, hop);
    let fits = bytes <= hop.mtu || merged;
    let Ok(bytes) = u16::try_from(bytes) else { return Err(TOO_LONG) };
    let cuttable = T::Address::may_be_cut(carried) && O::may_be_cut(carried);
    if !cuttable && (!fits || !merged && is_beyond::<O, T>(dest, bytes.into(), tables)) {
        return Err(TOO_LONG);
    }

    let sum = if summed { Some(sum(frame, packet).ok_or(TOO_LONG)?) } else { None };
    let flow = flow(packet, tables);
    let ethernet = *frame.at::<Ethernet>(0).ok_or(BROKEN)?;
    if !frame.grow(usize::from(room)) {
        return Err(Verdict::Drop(Reason::NoHeadroom));
    }
    *frame.at_mut::<Ethernet>(0).ok_or(BROKEN)? = Ethernet { ethertype: O::ETHERTYPE, ..ethernet };
    let mut outer = Head {
        bytes,
        protocol: match kind {
            tunnel::GUE => protocol::UDP,
            tunnel::GRE => protocol::GRE,
            _ => T::Address::CARRIED,
        },
        source: O::narrow(hop.from),
        destination: O::narrow(dest.address),
        carried: outer::carried(carried, flow),
    };
    match kind {
        tunnel::GUE => {
            let ports = (gue::source_port(flow), dest.tunnel_port);
            gue::write(frame, &outer, ports, T::Address::CARRIED, sum)?;
        }
        tunnel::GRE => gre::write::<O, F>(frame, T::Address::ETHERTYPE, sum)?,
        _ => {}
    }
    if fits {
        O::write(frame, &outer)?;
        return send::out(frame, hop);
    }
    // The stack cuts the outer packet, and takes a hop off it.
    outer.carried.ttl = carried.ttl.saturating_add(1);
    O::write(frame, &outer)?;
    Ok(Verdict::Pass(Reason::ByStack))
}

/// Whether a router between here and the real server has said that a packet of this length does not get through. All
/// of them let the shortest through, of which nobody is asked.
#[inline(always)]
fn is_beyond<O: Ip, T: Tables>(dest: &Dest, bytes: u32, tables: &T) -> bool {
    bytes > O::LEAST_MTU && bytes > tables.mtu_to(dest.address)
}

/// Bytes that a tunnel's headers take.
#[inline(always)]
pub(crate) fn headers(dest: &Dest) -> Option<u16> {
    let ip = if dest.address.is_v4() { Be32::BYTES } else { Addr6::BYTES };
    match dest.tunnel & tunnel::KIND {
        tunnel::IPIP => Some(ip),
        tunnel::GUE => Some(ip + gue::BYTES),
        tunnel::GRE => Some(ip + gre::bytes(is_summed(dest))),
        _ => None,
    }
}

#[inline(always)]
const fn is_summed(dest: &Dest) -> bool {
    dest.tunnel & tunnel::KIND != tunnel::IPIP
        && dest.tunnel & (tunnel::CHECKSUM | tunnel::REMOTE_CHECKSUM) != 0
}

/// What is the same for all packets of a client's port, and for few others'.
#[inline(always)]
fn flow<T: Tables>(packet: &Packet<T::Address>, tables: &T) -> u32 {
    tables.hashes(packet.key(tables).client).0
}

/// The sum over the whole packet, as the outer checksum has it.
///
/// Local checksum offload: a header that is right sums to nothing (all ones), and a segment with a right
/// checksum to what undoes its pseudo-header, also when the sender left the rest to its network card. A header of
/// IPv6 has no checksum, and is read; of a fragment nothing is known but its bytes.
#[inline(always)]
fn sum<F: Frame, A: Ip>(frame: &F, packet: &Packet<A>) -> Option<u16> {
    let checked = match packet.protocol {
        _ if packet.part != Part::Whole => false,
        protocol::TCP => true,
        // RFC 768: zero says that the sender made none.
        protocol::UDP => frame.at::<Udp>(packet.transport)?.check != Be16::new(0),
        _ => false,
    };
    if !checked {
        return frame.sum_scattered(NETWORK, usize::from(packet.bytes));
    }
    let segment = !packet.pseudo();
    if A::IS_SUMMED {
        return Some(segment);
    }
    let header = frame.sum(NETWORK, packet.transport.wrapping_sub(NETWORK))?;
    Some(fold(u64::from(header) + u64::from(segment)))
}
