//! The way of IPv6, in smaller functions than [`way`](super::way): its addresses take more of the stack,
//! its headers more of the verifier.

use aya_ebpf::{
    bindings::{
        xdp_action::{XDP_DROP, XDP_PASS},
        xdp_md,
    },
    programs::XdpContext,
};
use lvs_common::{
    net::Addr6,
    verdict::{Reason, Verdict},
};
use lvs_ebpf::{Step, open};

use super::{
    XdpFrame,
    probe::{ASKS, asks, lvs_back6, lvs_plaint6},
    way::{BEGINS, BEGUN, OTHER, TELLS, WRAPS, at_hand, begun, settle, tell, within_frame, wrap},
};

/// No action: it is no request of a connection.
const REST: u32 = 1 << 21;
/// No action: it is decided where the connection goes that it begins.
const DECIDED: u32 = 1 << 22;

/// Directs the frame of a context: what is to be done with it.
#[inline(always)]
pub(super) fn direct(context: &XdpContext) -> u32 {
    let mut action = lvs_known6(context.ctx);
    if action & ASKS != 0 {
        action = lvs_back6(context.ctx, OTHER);
        if action == OTHER {
            action = lvs_plaint6(context.ctx, action);
        }
    }
    if action == OTHER {
        action = lvs_icmp6(context.ctx);
    }
    if action == REST {
        action = lvs_rest6(context.ctx);
    }
    if action & ASKS != 0 {
        action = lvs_back6(context.ctx, BEGINS);
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
        action = lvs_wrap6(context.ctx);
    }
    if action & TELLS != 0 {
        action = lvs_tell6(context.ctx, action ^ TELLS);
    }
    action
}

/// The connection of a request that has one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_known6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<Addr6>(None) else { return XDP_PASS };
    match lvs_ebpf::packet(&XdpFrame::new(&context)) {
        Ok(packet) => scratch.packet = packet,
        Err(Verdict::Pass(Reason::OtherProtocol)) => return asks(OTHER, &scratch.packet),
        Err(refused) => return settle(refused, &mut tables),
    }
    match lvs_ebpf::request(&scratch.packet, &mut tables) {
        Ok((_, Some(connection))) => {
            scratch.opened = connection;
            BEGUN
        }
        Ok((is_request, None)) => {
            scratch.is_request = is_request;
            REST
        }
        Err(refused) => settle(refused, &mut tables),
    }
}

/// The way of ICMP errors.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_icmp6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<Addr6>(Some(&context)) else { return XDP_PASS };
    match lvs_ebpf::relate(&mut XdpFrame::new(&context), &mut tables) {
        Step::Done(verdict) => settle(verdict, &mut tables),
        Step::Wraps(packet, connection) => {
            scratch.packet = packet;
            scratch.opened = connection;
            WRAPS
        }
        // It begins nothing.
        Step::Begins(_) | Step::Other => XDP_DROP,
    }
}

/// Tells the sender of a dropped packet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_tell6(context: *mut xdp_md, reason: u32) -> u32 {
    tell::<Addr6>(context, reason)
}

/// The way of replies.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_rest6(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<Addr6>(Some(&context)) else { return XDP_PASS };
    let packet = within_frame(&scratch.packet);
    let frame = &mut XdpFrame::new(&context);
    match lvs_ebpf::rest(frame, &packet, scratch.is_request, &mut tables) {
        Ok(None) => asks(BEGINS, &packet),
        Ok(Some(verdict)) | Err(verdict) => settle(verdict, &mut tables),
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
        Step::Begins(_) | Step::Other => XDP_DROP,
    }
}

/// The way of a packet into a tunnel.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_wrap6(context: *mut xdp_md) -> u32 {
    wrap::<Addr6>(context)
}
