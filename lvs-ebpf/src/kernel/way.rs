//! The packet's way in functions, so that each has the stack to itself.
// verifier: all frames that are open at a time have 512 bytes between them.

use core::arch::asm;

use aya_ebpf::{
    bindings::{
        xdp_action::{XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX},
        xdp_md,
    },
    helpers::bpf_redirect,
    programs::XdpContext,
};
use lvs_common::{
    map::rest as place,
    net::{Addr6, Be32},
    verdict::{Reason, Verdict},
    wire::{Frame as _, Tags},
};
use lvs_ebpf::{Connection, Step, icmp::own::TOLD, ip, open, packet::Packet, vlan};

use super::{
    KernelTables, XdpFrame, early,
    family::Kept,
    fragments::{self, LOOKS},
    function::{Scratch, scratch},
    maps::{self, GENERIC, WHOLE},
    probe::{ASKS, asks, lvs_plaint, lvs_probed},
    way6::{self, ANEW6},
};

/// No action: the packet may begin a connection.
pub(super) const BEGINS: u32 = 1 << 16;
/// No action: it has begun one.
pub(super) const BEGUN: u32 = 1 << 17;
/// No action: its real server is at the end of a tunnel.
pub(super) const WRAPS: u32 = 1 << 18;
/// No action: it is of no protocol that a service has.
pub(super) const OTHER: u32 = 1 << 19;
/// No action: it is dropped, for the reason of this number, and its sender is to be told.
pub(super) const TELLS: u32 = 1 << 20;

/// No action: as the others, of IPv6.
pub(super) const SIX: u32 = 1 << 23;
/// No action: it is of IPv4, and nothing was looked at yet.
const BARE: u32 = 1 << 29;
/// With what is to be done next: tags were taken off the frame.
const STRIPPED: u32 = 1 << 30;

/// No action: it is no request of a connection.
pub(super) const REST: u32 = 1 << 21;
/// No action: it is a fragment.
pub(super) const FRAGMENT: u32 = 1 << 10;

/// Directs the frame of a context, as far as a known connection's packet of IPv4 goes; what goes
/// further, or another way, is the rest's.
// verifier: the rest has the whole stack again
#[inline(always)]
pub fn direct(context: &XdpContext) -> u32 {
    let frame = &XdpFrame::new(context);
    if !ip::is_of::<Be32, _>(frame) {
        if ip::is_of::<Addr6, _>(frame) {
            return go_into::<{ place::KNOWN6 }>(context, 0);
        }
        if vlan::is_tagged(frame) {
            return go_into::<{ place::TAGGED }>(context, 0);
        }
    }
    match known(context) {
        action if action <= XDP_REDIRECT => action,
        WRAPS => go_into::<{ place::WRAP }>(context, 0),
        next => go_into::<{ place::REST }>(context, next),
    }
}

/// Ends this program, and goes on in another one with what is to be done next.
#[inline(always)]
pub(super) fn go_into<const PLACE: u32>(context: &XdpContext, next: u32) -> u32 {
    if next != 0 {
        let Some(scratch) = scratch::<Be32>() else { return XDP_PASS };
        scratch.next = next;
    }
    // SAFETY: the program ends here, and holds nothing.
    unsafe { maps::REST.tail_call(context, PLACE + GENERIC.load()) };
    // Another instruction behind each call keeps the compiler from making one of two: the place would
    // be none that is known, and the JIT makes a jump only of one that is.
    // SAFETY: writes a register that nobody reads.
    unsafe { asm!("{0} = {place}", out(reg) _, place = const PLACE, options(nomem, nostack)) };
    // No controller has ever set it up.
    XDP_PASS
}

/// The rest of a packet's way.
#[inline(always)]
pub fn rest(context: &XdpContext) -> u32 {
    let next = lvs_next();
    let action = if WHOLE.load() != 0 {
        untagged(context, next & !STRIPPED)
    } else {
        bare(context, next & !STRIPPED)
    };
    if next & STRIPPED == 0 { action } else { lvs_restore(context.ctx, action) }
}

/// The same of a packet whose tags are off, if it had any.
#[inline(always)]
fn untagged(context: &XdpContext, next: u32) -> u32 {
    let mut action = next;
    if action & SIX != 0 {
        return way6::rest(context, action ^ SIX);
    }
    if action & ASKS != 0 {
        action = lvs_probed(context.ctx, action ^ ASKS);
        if action == OTHER {
            action = lvs_plaint(context.ctx, action);
        }
    }
    if action == OTHER {
        action = lvs_icmp(context.ctx);
    }
    if action == FRAGMENT {
        action = fragments::onward(context.ctx);
    }
    let looks = action == LOOKS;
    if looks {
        action = fragments::lvs_look();
    }
    if action == REST {
        action = fragments::lvs_back(context.ctx);
    }
    if action == BEGINS {
        action = lvs_open();
    }
    if action == BEGUN {
        action = lvs_send(context.ctx);
    }
    if action == WRAPS {
        return go_into::<{ place::WRAP }>(context, 0);
    }
    if looks {
        action = fragments::lvs_ended(action);
    }
    if action & TELLS != 0 {
        action = lvs_tell(context.ctx, action ^ TELLS);
    }
    action
}

/// The same as far as the first moment of a director goes. What it has not is lost, as it was before there was
/// a director, or the stack's where it is nobody's.
// verifier: a function that is not reached is not looked at, from 6.8 on
#[inline(always)]
fn bare(context: &XdpContext, next: u32) -> u32 {
    let mut action = next & !ASKS;
    if action == BEGINS {
        action = lvs_open();
    }
    if action == BEGUN {
        action = lvs_send(context.ctx);
    }
    if action == WRAPS {
        return go_into::<{ place::WRAP }>(context, 0);
    }
    if action == FRAGMENT {
        return fragments::lvs_lost(context.ctx);
    }
    if action & TELLS != 0 {
        return XDP_DROP;
    }
    if action <= XDP_REDIRECT { action } else { XDP_PASS }
}

/// The way of packets that are part of a connection.
#[inline(always)]
fn known(context: &XdpContext) -> u32 {
    let Some(mut tables) = KernelTables::<Be32>::new(Some(context)) else { return XDP_PASS };
    let step = lvs_ebpf::known(&mut XdpFrame::new(context), &mut tables);
    go_on(step, &mut tables)
}

/// The way of frames with tags: of those of IPv4 as far as [`direct`].
#[inline(always)]
pub fn tagged(context: &XdpContext) -> u32 {
    match lvs_strip(context.ctx) {
        BARE => {}
        ANEW6 => return go_into::<{ place::REST }>(context, ANEW6),
        action => return action,
    }
    match known(context) {
        action if action <= XDP_REDIRECT => lvs_restore(context.ctx, action),
        WRAPS => go_into::<{ place::WRAP }>(context, 0),
        next => go_into::<{ place::REST }>(context, next),
    }
}

/// Takes a frame's tags off.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_strip(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some(mut tables) = KernelTables::<Be32>::new(Some(&context)) else { return XDP_PASS };
    let frame = &mut XdpFrame::new(&context);
    if let Err(refused) = vlan::strip(frame) {
        return settle(refused, &mut tables);
    }
    if ip::is_of::<Be32, _>(frame) {
        return BARE;
    }
    if ip::is_of::<Addr6, _>(frame) {
        return ANEW6;
    }
    let action = settle(Verdict::Pass(Reason::NotIp), &mut tables);
    restore(frame, action)
}

/// Puts the tags of a frame for the stack on again, and forgets those of any.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_restore(context: *mut xdp_md, action: u32) -> u32 {
    let context = XdpContext::new(context);
    restore(&mut XdpFrame::new(&context), action)
}

#[inline(always)]
fn restore(frame: &mut XdpFrame<'_>, action: u32) -> u32 {
    let is_whole = action != XDP_PASS || vlan::restore(frame);
    frame.set_tags(Tags::NONE);
    if is_whole { action } else { XDP_DROP }
}

/// The action of a program that may have been given a frame whose tags were taken off.
#[inline(always)]
pub(super) fn ends(context: &XdpContext, action: u32) -> u32 {
    if XdpFrame::new(context).tags().is_none() { action } else { lvs_restore(context.ctx, action) }
}

/// What is to be done next, and whether a health check asks for it.
// verifier: looked up in the rest itself, it would cost every function the place of a map's key
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_next() -> u32 {
    let Some(here) = scratch::<Be32>() else { return XDP_PASS };
    let next = if here.next == BEGINS | SIX {
        scratch::<Addr6>().map_or(XDP_PASS, |scratch| asks(BEGINS, &scratch.packet) | SIX)
    } else {
        asks(here.next, &here.packet)
    };
    next | if here.tags.is_none() { 0 } else { STRIPPED }
}

/// The connection that a packet begins.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_open() -> u32 {
    let Some((scratch, mut tables)) = at_hand::<Be32>(None) else { return XDP_PASS };
    let opened = open::open(&scratch.packet, &mut tables);
    begun(opened, scratch, &mut tables)
}

/// The way of a packet that has begun a connection.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_send(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<Be32>(Some(&context)) else { return XDP_PASS };
    let frame = &mut XdpFrame::new(&context);
    let packet = within_frame(&scratch.packet);
    let step = lvs_ebpf::send(frame, &packet, scratch.opened, &mut tables);
    go_on(step, &mut tables)
}

/// The way of what no service has the protocol of.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_icmp(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some(mut tables) = KernelTables::<Be32>::new(Some(&context)) else { return XDP_PASS };
    let step = lvs_ebpf::relate(&mut XdpFrame::new(&context), &mut tables);
    go_on(step, &mut tables)
}

/// The way of a packet into a tunnel.
#[inline(always)]
pub fn wraps(context: &XdpContext) -> u32 {
    let next = wrap::<Be32>(context);
    if next <= XDP_REDIRECT {
        return ends(context, next);
    }
    go_into::<{ place::REST }>(context, next)
}

/// The same of either family: what is to be done next.
#[inline(always)]
pub(super) fn wrap<A: Kept>(context: &XdpContext) -> u32 {
    let Some((scratch, mut tables)) = at_hand::<A>(Some(context)) else { return XDP_PASS };
    let frame = &mut XdpFrame::new(context);
    let packet = within_frame(&scratch.packet);
    let verdict = lvs_ebpf::wrap(frame, &packet, scratch.opened, &mut tables);
    settle(verdict, &mut tables)
}

/// Tells the sender of a dropped packet.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_tell(context: *mut xdp_md, reason: u32) -> u32 {
    tell::<Be32>(context, reason)
}

/// Tells the sender of a dropped packet: what is to be done with the frame.
#[inline(always)]
pub(super) fn tell<A: Kept>(context: *mut xdp_md, reason: u32) -> u32 {
    let context = XdpContext::new(context);
    let Some(mut tables) = KernelTables::<A>::new(Some(&context)) else { return XDP_DROP };
    let told = TOLD.iter().find(|told| **told as u32 == reason);
    let answer =
        told.and_then(|told| lvs_ebpf::tell(&mut XdpFrame::new(&context), *told, &mut tables));
    match answer {
        Some(Verdict::Redirect(interface)) => {
            early::leaves(&context, interface);
            redirect(interface)
        }
        _ => XDP_DROP,
    }
}

/// The action of a step, or what is to be done next with what it left.
#[inline(always)]
#[expect(clippy::needless_pass_by_value, reason = "it is the end of the step")]
pub(super) fn go_on<A: Kept>(step: Step<A>, tables: &mut KernelTables<'_, A>) -> u32 {
    let (packet, connection, next) = match step {
        Step::Done(verdict) => return settle(verdict, tables),
        Step::Other => return OTHER,
        Step::Fragment => return FRAGMENT,
        Step::Begins(packet) => (packet, None, BEGINS),
        Step::Wraps(packet, connection) => (packet, Some(connection), WRAPS),
    };
    let Some(scratch) = scratch::<A>() else { return XDP_PASS };
    scratch.packet = packet;
    if let Some(connection) = connection {
        scratch.opened = connection;
    }
    next
}

/// What a function works with: what was left for it, and the maps.
#[inline(always)]
pub(super) fn at_hand<A: Kept>(
    context: Option<&XdpContext>,
) -> Option<(&'static mut Scratch<A>, KernelTables<'_, A>)> {
    Some((scratch::<A>()?, KernelTables::new(context)?))
}

/// Leaves the connection that a packet has begun, or settles why it has not.
#[inline(always)]
pub(super) fn begun<A: Kept>(
    opened: Result<Connection, Verdict>,
    scratch: &mut Scratch<A>,
    tables: &mut KernelTables<'_, A>,
) -> u32 {
    match opened {
        Ok(connection) => {
            scratch.opened = connection;
            BEGUN
        }
        Err(refused) => settle(refused, tables),
    }
}

/// A packet that was left in this CPU's value.
#[inline(always)]
pub(super) fn within_frame<A: Kept>(packet: &Packet<A>) -> Packet<A> {
    // verifier: an offset within a frame
    Packet { transport: packet.transport & 0xff, ..*packet }
}

/// The action of a verdict, whose reason is counted.
#[inline(always)]
pub(super) fn settle<A: Kept>(verdict: Verdict, tables: &mut KernelTables<'_, A>) -> u32 {
    lvs_ebpf::settle(verdict, tables);
    match verdict {
        Verdict::Transmit => XDP_TX,
        Verdict::Pass(_) => XDP_PASS,
        Verdict::Drop(reason) if TOLD.contains(&reason) => TELLS | reason as u32,
        Verdict::Drop(_) => XDP_DROP,
        Verdict::Redirect(interface) => redirect(interface),
    }
}

#[inline(always)]
#[expect(clippy::cast_sign_loss, reason = "the helper returns an action")]
fn redirect(interface: u32) -> u32 {
    // SAFETY: the helper takes numbers only.
    unsafe { bpf_redirect(interface, 0) as u32 }
}
