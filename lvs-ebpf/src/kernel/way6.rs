//! The way of IPv6: that of known connections in a program of its own, the rest in smaller functions
//! than [`way`](super::way), since its addresses take more of the stack, its headers more of the verifier.

use aya_ebpf::{
    bindings::{
        xdp_action::{XDP_DROP, XDP_PASS, XDP_REDIRECT},
        xdp_md,
    },
    programs::XdpContext,
};
use lvs_common::{
    map::rest as place,
    net::Addr6,
    verdict::{Reason, Verdict},
};
use lvs_ebpf::{Step, icmp::answer, open};

use super::{
    KernelTables, XdpFrame,
    fragments::{self, LOOKS, look},
    function::{lvs_assure6, scratch},
    probe::{ASKS, asks, lvs_plaint6, lvs_probed6},
    way::{
        BEGINS, BEGUN, FRAGMENT, OTHER, REST, SIX, TELLS, WRAPS, at_hand, begun, ends, go_into,
        go_on, settle, tell, within_frame, wrap,
    },
};

/// No action: first, the template of its connection is to last.
const ASSURES: u32 = 1 << 25;
/// No action: its headers were not looked at yet.
const ANEW: u32 = 1 << 24;
/// The same for who is in [`way`](super::way).
pub(super) const ANEW6: u32 = ANEW | SIX;
/// No action: it is decided where the connection goes that it begins.
const DECIDED: u32 = 1 << 22;

/// No action: it is no ICMP error about what a VIP sent.
const OUTGOING: u32 = 1 << 26;
/// No action: nor about what was forwarded as it is.
const TUNNELED: u32 = 1 << 27;
/// No action: the client gets an ICMP error.
const ANSWERS: u32 = 1 << 28;

/// Directs the frame of a context, as far as a known connection's packet of IPv6 goes.
#[inline(always)]
pub fn direct(context: &XdpContext) -> u32 {
    let Some(tables) = KernelTables::<Addr6>::new(Some(context)) else { return XDP_PASS };
    let mut tables = tables.assuring_later();
    let step = lvs_ebpf::known(&mut XdpFrame::new(context), &mut tables);
    let next = go_on(step, &mut tables);
    // What has another header in front of it is looked at anew.
    let next = if next == OTHER { ANEW } else { next };
    if tables.assures {
        let Some(scratch) = scratch::<Addr6>() else { return XDP_PASS };
        scratch.next = next;
        return go_into::<{ place::REST }>(context, ASSURES | SIX);
    }
    if next == WRAPS {
        return go_into::<{ place::WRAP6 }>(context, 0);
    }
    if next <= XDP_REDIRECT { next } else { go_into::<{ place::REST }>(context, next | SIX) }
}

/// The rest of its way, from `action` on.
#[inline(always)]
pub(super) fn rest(context: &XdpContext, mut action: u32) -> u32 {
    if action == ASSURES {
        action = lvs_assure6();
    }
    if action == ANEW {
        action = lvs_known6(context.ctx);
    }
    if action & ASKS != 0 {
        action = lvs_probed6(context.ctx, action ^ ASKS);
        if action == OTHER {
            action = lvs_plaint6(context.ctx, action);
        }
    }
    if action == OTHER {
        action = lvs_icmp6(context.ctx);
    }
    if action == OUTGOING {
        action = lvs_icmp_out6(context.ctx);
    }
    if action == TUNNELED {
        action = lvs_icmp_tun6(context.ctx);
    }
    if action == ANSWERS {
        action = lvs_answer6(context.ctx);
    }
    if action == FRAGMENT {
        action = fragments::onward6(context.ctx);
    }
    let looks = action == LOOKS;
    if looks {
        action = lvs_known6(context.ctx);
    }
    if action == REST {
        action = lvs_rest6(context.ctx);
    }
    if action & ASKS != 0 {
        action = lvs_probed6(context.ctx, BEGINS);
    }
    if action == BEGINS {
        action = lvs_decide6();
    }
    if action == DECIDED {
        action = lvs_begin6();
    }
    if action == BEGUN {
        action = lvs_send6(context.ctx);
    }
    if action == WRAPS {
        return go_into::<{ place::WRAP6 }>(context, 0);
    }
    if looks {
        action = fragments::lvs_ended6(action);
    }
    if action & TELLS != 0 {
        action = lvs_tell6(context.ctx, action ^ TELLS);
    }
    action
}

/// The connection of a request with extension headers that has one; of a fragment's, whose packet was left.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_known6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<Addr6>(None) else { return XDP_PASS };
    if scratch.next == LOOKS {
        scratch.next = 0;
    } else {
        match lvs_ebpf::packet(&XdpFrame::new(&context)) {
            Ok(packet) => scratch.packet = packet,
            Err(Verdict::Pass(Reason::OtherProtocol)) => return asks(OTHER, &scratch.packet),
            Err(Verdict::Pass(Reason::Fragment)) => return FRAGMENT,
            Err(refused) => return settle(refused, &mut tables),
        }
    }
    look(scratch, &mut tables)
}

/// The way of ICMP errors about what the VIP sent.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_icmp6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<Addr6>(Some(&context)) else { return XDP_PASS };
    match lvs_ebpf::relate_incoming(&mut XdpFrame::new(&context), &mut tables) {
        Ok(None) => OUTGOING,
        Ok(Some(Step::Done(verdict))) | Err(verdict) => settle(verdict, &mut tables),
        Ok(Some(Step::Wraps(packet, connection))) => {
            scratch.packet = packet;
            scratch.opened = connection;
            WRAPS
        }
        // It begins nothing.
        Ok(Some(Step::Begins(_) | Step::Other | Step::Fragment)) => XDP_DROP,
    }
}

/// The way of ICMP errors about what was forwarded.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_icmp_out6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some(mut tables) = KernelTables::<Addr6>::new(Some(&context)) else { return XDP_PASS };
    match lvs_ebpf::relate_outgoing(&mut XdpFrame::new(&context), &mut tables) {
        Ok(None) => TUNNELED,
        Ok(Some(verdict)) | Err(verdict) => settle(verdict, &mut tables),
    }
}

/// The way of ICMP errors about what was put into a tunnel.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_icmp_tun6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<Addr6>(Some(&context)) else { return XDP_PASS };
    match lvs_ebpf::relate_tunneled(&mut XdpFrame::new(&context), &mut tables) {
        Ok(answer) => {
            scratch.answer = answer;
            ANSWERS
        }
        Err(refused) => settle(refused, &mut tables),
    }
}

/// The error that a client gets.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_answer6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<Addr6>(Some(&context)) else { return XDP_PASS };
    let frame = &mut XdpFrame::new(&context);
    let verdict = answer::send(frame, &scratch.answer, &mut tables);
    settle(verdict.unwrap_or_else(|refused| refused), &mut tables)
}

/// Tells the sender of a dropped packet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_tell6(context: *mut xdp_md, reason: u32) -> u32 {
    tell::<Addr6>(context, reason)
}

/// The way of replies with extension headers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_rest6(context: *mut xdp_md) -> u32 {
    match fragments::rest::<Addr6>(context) {
        BEGINS => scratch::<Addr6>().map_or(XDP_PASS, |scratch| asks(BEGINS, &scratch.packet)),
        action => action,
    }
}

/// Where the connection goes that a packet begins.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_decide6() -> u32 {
    let Some((scratch, tables)) = at_hand::<Addr6>(None) else { return XDP_PASS };
    let mut tables = tables.leaving(scratch);
    match open::decide(&scratch.packet, &mut tables) {
        Ok(opening) => {
            scratch.opening = opening;
            DECIDED
        }
        Err(refused) => settle(refused, &mut tables),
    }
}

/// The connection, now that it is decided where it goes.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_begin6() -> u32 {
    let Some((scratch, tables)) = at_hand::<Addr6>(None) else { return XDP_PASS };
    let mut tables = tables.leaving(scratch);
    let opened = open::begin(&scratch.packet, scratch.opening, &mut tables);
    begun(opened, scratch, &mut tables)
}

/// The way of a connection's request.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_send6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<Addr6>(Some(&context)) else { return XDP_PASS };
    let packet = within_frame(&scratch.packet);
    let frame = &mut XdpFrame::new(&context);
    match lvs_ebpf::send(frame, &packet, scratch.opened, &mut tables) {
        Step::Done(verdict) => settle(verdict, &mut tables),
        Step::Wraps(..) => WRAPS,
        // It has a connection.
        Step::Begins(_) | Step::Other | Step::Fragment => XDP_DROP,
    }
}

/// The way of a packet into a tunnel.
#[inline(always)]
pub fn wraps(context: &XdpContext) -> u32 {
    let next = wrap::<Addr6>(context);
    if next <= XDP_REDIRECT {
        return ends(context, next);
    }
    go_into::<{ place::REST }>(context, next | SIX)
}
