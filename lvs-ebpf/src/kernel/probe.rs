//! Health checks: the way out, a program of its own, and the way back, a part of the rest.

use aya_ebpf::{
    bindings::{
        xdp_action::{XDP_DROP, XDP_PASS},
        xdp_md,
    },
    programs::XdpContext,
};
use lvs_common::{
    map::{ProbeFlow, ProbeKey, Probed, ProbedEnd, rest as place},
    net::{Addr6, Be32},
    verdict::Verdict,
};
use lvs_ebpf::{
    Probes, Step, complained, ip,
    packet::Packet,
    probe::{back, is_taken, out},
};

use super::{
    KernelTables, XdpFrame,
    family::Kept,
    maps::{PROBED, PROBES, TUNABLES},
    way::{BEGINS, OTHER, WRAPS, at_hand, go_into, settle},
};

/// With what is to be done next: it may be a health check's.
pub(super) const ASKS: u32 = 1 << 31;

/// No action: it is known where the packet goes.
const AIMED: u32 = 1 << 30;

const ANY: u64 = 0;

/// Directs a frame that a program of the host sent to a stand-in.
#[inline(always)]
pub fn leave(context: &XdpContext) -> u32 {
    let is_v6 = ip::is_of::<Addr6, _>(&XdpFrame::new(context));
    let mut action = if is_v6 { lvs_aim6(context.ctx) } else { lvs_aim(context.ctx) };
    if action == AIMED {
        action = if is_v6 { lvs_leave6(context.ctx) } else { lvs_leave(context.ctx) };
    }
    if action == WRAPS {
        return if is_v6 {
            go_into::<{ place::WRAP6 }>(context, 0)
        } else {
            go_into::<{ place::WRAP }>(context, 0)
        };
    }
    // Of what is not forwarded the device's peer has no use, and nobody else waits for an answer.
    if action == XDP_PASS || action > WRAPS { XDP_DROP } else { action }
}

/// Where a packet goes.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_aim(context: *mut xdp_md) -> u32 {
    aimed::<Be32>(context)
}

/// The same of IPv6.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_aim6(context: *mut xdp_md) -> u32 {
    aimed::<Addr6>(context)
}

/// The way to a real server; of a tunnel, as far as the packet that goes into it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_leave(context: *mut xdp_md) -> u32 {
    left::<Be32>(context)
}

/// The same of IPv6.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_leave6(context: *mut xdp_md) -> u32 {
    left::<Addr6>(context)
}

/// The way of an answer; `next` if it is none.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_probed(context: *mut xdp_md, next: u32) -> u32 {
    came::<Be32>(context, next, |frame, tables| back::answered(frame, tables))
}

/// The same of IPv6.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_probed6(context: *mut xdp_md, next: u32) -> u32 {
    came::<Addr6>(context, next, |frame, tables| back::answered(frame, tables))
}

/// The way of an error; `next` if it is none about a health check.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_plaint(context: *mut xdp_md, next: u32) -> u32 {
    came::<Be32>(context, next, |frame, tables| complained(frame, tables))
}

/// The same of IPv6.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_plaint6(context: *mut xdp_md, next: u32) -> u32 {
    came::<Addr6>(context, next, |frame, tables| complained(frame, tables))
}

/// What is to be done next, and whether the packet may be a health check's.
#[inline(always)]
pub(super) fn asks<A: Kept>(next: u32, packet: &Packet<A>) -> u32 {
    let is_candidate = next == OTHER
        || next == BEGINS && (is_taken(packet.destination_port) || is_taken(packet.source_port));
    if is_candidate && TUNABLES.get(0).is_some_and(|tunables| tunables.probes != 0) {
        return next | ASKS;
    }
    next
}

#[inline(always)]
fn aimed<A: Kept>(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<A>(Some(&context)) else { return XDP_DROP };
    match out::aim(&XdpFrame::new(&context), &mut tables) {
        Ok(aim) => {
            scratch.aim = aim;
            AIMED
        }
        Err(refused) => settle(refused, &mut tables),
    }
}

#[inline(always)]
fn left<A: Kept>(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<A>(Some(&context)) else { return XDP_DROP };
    let aim = scratch.aim;
    match out::send(&mut XdpFrame::new(&context), &aim, &mut tables) {
        Step::Done(verdict) => settle(verdict, &mut tables),
        Step::Wraps(packet, connection) => {
            scratch.packet = packet;
            scratch.opened = connection;
            WRAPS
        }
        // It begins nothing.
        Step::Begins(_) | Step::Other | Step::Fragment => XDP_DROP,
    }
}

#[inline(always)]
fn came<A: Kept>(
    context: *mut xdp_md,
    next: u32,
    way: impl FnOnce(&mut XdpFrame<'_>, &mut KernelTables<'_, A>) -> Option<Verdict>,
) -> u32 {
    let context = XdpContext::new(context);
    let Some(mut tables) = KernelTables::<A>::new(Some(&context)) else { return next };
    match way(&mut XdpFrame::new(&context), &mut tables) {
        Some(verdict) => settle(verdict, &mut tables),
        None => next,
    }
}

impl<A: Kept> Probes for KernelTables<'_, A> {
    #[inline(always)]
    fn probe(&mut self, key: &ProbeKey) -> Option<&mut ProbeFlow> {
        // SAFETY: an element that makes room is used again at once: then this is another flow's, and a
        // packet goes astray that nobody waits for any more.
        PROBES.get_ptr_mut(key).map(|flow| unsafe { &mut *flow })
    }

    #[inline(always)]
    fn begin_probe(&mut self, key: &ProbeKey, flow: &ProbeFlow, end: &ProbedEnd) {
        // Without a place the answer goes to the stack, and the check fails.
        _ = PROBES.insert(key, flow, ANY);
        _ = PROBED.insert(end, Probed::default(), ANY);
    }

    #[inline(always)]
    fn probed(&mut self, end: &ProbedEnd) -> Option<&mut Probed> {
        // SAFETY: as above; each byte is written by itself.
        PROBED.get_ptr_mut(end).map(|probed| unsafe { &mut *probed })
    }
}
