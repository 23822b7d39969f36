//! What the director itself has to say of a request that goes no further (`icmp_send` of `ip_vs_xmit` and
//! `ip_vs_leave`): in the VIP's name, back to where the request came from.

use lvs_common::{
    map::Method,
    net::Be32,
    verdict::{Reason, Verdict},
    wire::{Ethernet, Frame},
};

use super::{
    answer::{self, Answer},
    find,
};
use crate::{
    account,
    forward::{send, tun},
    ip::{Ip, NETWORK},
    packet::{Packet, Part},
    parse::transport,
    tables::Tables,
    vlan,
};

/// Why packets are dropped that somebody hears of.
pub const TOLD: [Reason; 3] = [Reason::NoDest, Reason::TtlExpired, Reason::OverMtu];

/// What there is to say.
struct Word {
    /// Type and code.
    what: (u8, u8),
    info: Be32,
    /// The path's MTU, to whoever asked for it: told whatever else is.
    is_asked: bool,
}

/// Makes the frame, a request that was dropped, the error that its sender gets; none if it gets none.
#[inline(always)]
pub fn tell<F: Frame, T: Tables>(frame: &mut F, reason: Reason, tables: &mut T) -> Option<Verdict> {
    let ethernet = *frame.at::<Ethernet>(0)?;
    if ethernet.ethertype != T::Address::ETHERTYPE {
        return None;
    }
    let (header, is_fragment) = T::Address::beginning(frame).ok()?;
    let packet = transport(frame, header).ok()?;
    let part = if is_fragment { Part::First } else { Part::Whole };
    let packet = Packet { part, ..packet };
    if !tables.is_vip(packet.destination) || !packet.source.is_unicast() {
        return None;
    }
    let word = match reason {
        Reason::NoDest => plain(T::Address::PORT_UNREACHABLE),
        Reason::TtlExpired => plain(T::Address::TIME_EXCEEDED),
        Reason::OverMtu => over_mtu(frame, &packet, tables)?,
        _ => return None,
    };
    if !word.is_asked {
        let (now, ticks_per_second) = (tables.now(), tables.tunables().ticks_per_second);
        if !tables.limit()?.take(now, ticks_per_second) {
            return None;
        }
    }
    let carried = T::Address::carried(frame, NETWORK).ok()?;
    let headers = answer::headers::<T::Address>();
    let quoted = packet.bytes.min(T::Address::ERROR_BYTES - headers);
    // As IPVS does by chance: the error passes its own eyes on the way out.
    if let Some(hit) = find(&packet, tables).filter(|hit| hit.entry.method() != Method::MASQ) {
        let error = Packet { bytes: quoted + headers, ..packet };
        account::reply(&error, hit.entry.dest(), tables);
    }
    if !frame.grow(usize::from(headers)) {
        return None;
    }
    let back = Ethernet {
        destination: ethernet.source,
        source: ethernet.destination,
        ethertype: ethernet.ethertype,
    };
    *frame.at_mut::<Ethernet>(0)? = back;
    let answer = Answer {
        what: word.what,
        info: word.info,
        from: packet.destination,
        to: packet.source,
        tos: carried.tos,
        id: carried.id,
        quoted,
    };
    answer::write(frame, &answer).ok()?;
    if !vlan::restore(frame) {
        return None;
    }
    Some(Verdict::Redirect(frame.ingress()))
}

#[inline(always)]
const fn plain(what: (u8, u8)) -> Word {
    Word { what, info: Be32::new(0), is_asked: false }
}

/// What would fit.
///
/// Of what may be cut nothing is said where routers behind the director would cut it. Those that carry IPv6 do not:
/// IPVS has the stack cut what carries the packet, which a program cannot. To be told helps a sender that cuts its
/// datagrams itself, and is better than silence.
#[inline(always)]
fn over_mtu<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    tables: &T,
) -> Option<Word> {
    let hit = find(packet, tables)?;
    let dest = tables.dest(hit.entry.dest())?;
    let mut mtu = send::hop(dest.next_hop, tables).ok()?.mtu;
    let headers = if hit.entry.method() == Method::TUNNEL {
        mtu = mtu.min(tables.path_mtu(hit.entry.dest()));
        tun::headers(dest)?
    } else if T::Address::age(frame).is_err() {
        return Some(plain(T::Address::TIME_EXCEEDED));
    } else {
        0
    };
    let carried = T::Address::carried(frame, NETWORK).ok()?;
    let is_asked = !T::Address::may_be_cut(carried);
    let is_stuck = headers != 0 && !dest.address.is_v4();
    let fits = mtu.saturating_sub(u32::from(headers));
    (is_asked || is_stuck && u32::from(packet.bytes) > fits).then_some(Word {
        what: T::Address::TOO_LONG,
        info: Be32::new(fits),
        is_asked,
    })
}
