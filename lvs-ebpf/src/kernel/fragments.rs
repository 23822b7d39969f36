//! The side road of fragments, in functions.

use aya_ebpf::{
    bindings::{
        xdp_action::{XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX},
        xdp_md,
    },
    programs::XdpContext,
};
use lvs_common::{
    net::{Addr6, Be32},
    verdict::{Reason, Verdict},
};
use lvs_ebpf::{
    Connection,
    fragment::{self, Desk, Onward},
    ip::Ip,
    packet::{Packet, Part},
    tables::Tables as _,
};

use super::{
    KernelTables, XdpFrame, early,
    family::Kept,
    function::Scratch,
    way::{BEGINS, BEGUN, REST, at_hand, settle, within_frame},
};

/// No action: a fragment with ports, whose connection is to be looked for.
pub(super) const LOOKS: u32 = 1 << 11;
/// No action: a reply's later fragment.
const RETURNS: u32 = 1 << 12;
/// No action: the first of its datagram has not come.
const AWAITS: u32 = 1 << 13;

/// Where a fragment goes: what is to be done next.
#[inline(always)]
pub(super) fn onward(context: *mut xdp_md) -> u32 {
    match lvs_fragment(context) {
        RETURNS => lvs_return(context),
        AWAITS => early::lvs_hold(context),
        action => action,
    }
}

/// The way of a fragment where nothing is kept of datagrams: nobody can tell what one that is ours is part of.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_lost(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some(mut tables) = KernelTables::<Be32>::new(Some(&context)) else { return XDP_PASS };
    let fragment = <Be32 as Ip>::fragment(&XdpFrame::new(&context));
    let is_ours = fragment.is_ok_and(|fragment| {
        tables.is_vip(fragment.destination) || tables.is_masqueraded(fragment.source)
    });
    let lost = Verdict::Drop(Reason::FragmentEarly);
    settle(if is_ours { lost } else { Verdict::Pass(Reason::Fragment) }, &mut tables)
}

/// [`onward`] of IPv6.
#[inline(always)]
pub(super) fn onward6(context: *mut xdp_md) -> u32 {
    match lvs_fragment6(context) {
        RETURNS => lvs_return6(context),
        AWAITS => early::lvs_hold(context),
        action => action,
    }
}

/// The connection of a request that was left in this CPU's value, if it has one.
#[inline(always)]
pub(super) fn look<A: Kept>(scratch: &mut Scratch<A>, tables: &mut KernelTables<'_, A>) -> u32 {
    match lvs_ebpf::request(&scratch.packet, tables) {
        Ok((_, Some(connection))) => {
            scratch.opened = connection;
            BEGUN
        }
        Ok((is_request, None)) => {
            scratch.is_request = is_request;
            REST
        }
        Err(refused) => settle(refused, tables),
    }
}

/// The way of replies, and of requests that have no connection.
#[inline(always)]
pub(super) fn rest<A: Kept>(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<A>(Some(&context)) else { return XDP_PASS };
    let packet = within_frame(&scratch.packet);
    let frame = &mut XdpFrame::new(&context);
    match lvs_ebpf::rest(frame, &packet, scratch.is_request, &mut tables) {
        Ok(None) => BEGINS,
        Ok(Some(verdict)) | Err(verdict) => settle(verdict, &mut tables),
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_fragment(context: *mut xdp_md) -> u32 {
    fragment::<Be32>(context)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_fragment6(context: *mut xdp_md) -> u32 {
    fragment::<Addr6>(context)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_look() -> u32 {
    let Some((scratch, mut tables)) = at_hand::<Be32>(None) else { return XDP_PASS };
    look(scratch, &mut tables)
}

/// The way of IPv4's replies that are fragments.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_back(context: *mut xdp_md) -> u32 {
    rest::<Be32>(context)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_return(context: *mut xdp_md) -> u32 {
    give_back::<Be32>(context)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_return6(context: *mut xdp_md) -> u32 {
    give_back::<Addr6>(context)
}

/// Remembers what a first fragment ended with, if it went no further; the action that it ended with.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_ended(action: u32) -> u32 {
    ended::<Be32>(action)
}

/// The same of IPv6.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_ended6(action: u32) -> u32 {
    ended::<Addr6>(action)
}

impl<A: Kept> Desk<A> for &mut Scratch<A> {
    #[inline(always)]
    fn packet(&mut self, packet: Packet<A>) {
        self.packet = packet;
    }

    #[inline(always)]
    fn connection(&mut self, connection: Connection) {
        self.opened = connection;
    }

    #[inline(always)]
    fn address(&mut self, address: A) {
        self.address = address;
    }
}

#[inline(always)]
fn fragment<A: Kept>(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((mut scratch, mut tables)) = at_hand::<A>(Some(&context)) else { return XDP_PASS };
    match fragment::onward(&XdpFrame::new(&context), &mut scratch, &mut tables) {
        Onward::Looks => {
            scratch.next = LOOKS;
            LOOKS
        }
        Onward::Request => {
            if let Some(hop) = tables.next_hop(scratch.opened.next_hop()) {
                early::leaves(&context, hop.interface);
            }
            BEGUN
        }
        Onward::Reply => RETURNS,
        Onward::Early => AWAITS,
        Onward::Passed(reason) => settle(Verdict::Pass(reason), &mut tables),
        Onward::Dropped(reason) => settle(Verdict::Drop(reason), &mut tables),
    }
}

#[inline(always)]
fn give_back<A: Kept>(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    let Some((scratch, mut tables)) = at_hand::<A>(Some(&context)) else { return XDP_DROP };
    // verifier: nothing of a transport header is to be looked at
    let packet = Packet { part: Part::Later, ..within_frame(&scratch.packet) };
    let address = scratch.address;
    let frame = &mut XdpFrame::new(&context);
    let verdict = lvs_ebpf::give_back(frame, &packet, address, &mut tables);
    if let Verdict::Redirect(interface) = verdict {
        early::leaves(&context, interface);
    }
    settle(verdict, &mut tables)
}

#[inline(always)]
fn ended<A: Kept>(action: u32) -> u32 {
    let goes_on = action == XDP_TX || action == XDP_REDIRECT;
    if let Some((scratch, mut tables)) = at_hand::<A>(None)
        && scratch.packet.part == Part::First
        && !goes_on
    {
        fragment::ended(action == XDP_PASS, &mut tables);
    }
    action
}
