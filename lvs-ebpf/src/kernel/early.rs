//! Fragments that come before the first one of their datagram: handed over to the controller, which has the program
//! run with them once it has come.

use aya_ebpf::{
    bindings::{xdp_action::XDP_DROP, xdp_md},
    helpers::generated::bpf_xdp_load_bytes,
    programs::XdpContext,
};
use lvs_common::{
    map::{
        DatagramKey,
        early::{COOKIE, MAX_BYTES, NOBODY, Released, WAITING},
    },
    net::Be32,
    verdict::{Reason, Verdict},
    wire::Frame as _,
};

use super::{
    KernelTables, XdpFrame,
    atomic::veil,
    datagrams::traced,
    frame::ingress,
    maps::{EARLY, FIRSTS, HOLDS},
    way::settle,
};

/// Hands an early fragment over, or counts it: what is to be done with it here.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_hold(context: *mut xdp_md) -> u32 {
    let context = XdpContext::new(context);
    if released(&context).is_none() && hold(&context) {
        return XDP_DROP;
    }
    let Some(mut tables) = KernelTables::<Be32>::new(None) else { return XDP_DROP };
    settle(Verdict::Drop(Reason::FragmentEarly), &mut tables)
}

/// Tells that the first fragment of a datagram has come and is remembered, if somebody waits for any.
#[inline(always)]
pub fn tell(key: &DatagramKey) {
    if holds() == WAITING {
        // Those that were held go on their way when their time is over.
        _ = FIRSTS.output(key, 0);
    }
}

/// Tells whoever released a fragment which interface it is to leave by.
#[inline(always)]
pub fn leaves(context: &XdpContext, interface: u32) {
    if let Some(released) = released(context) {
        released.interface = interface;
    }
}

/// What stands before a frame that was held.
#[inline(always)]
#[expect(clippy::mut_from_ref, reason = "the frame's memory is not the context's")]
fn released(context: &XdpContext) -> Option<&mut Released> {
    let start = context.metadata();
    // verifier: the bound of this very pointer.
    if start + size_of::<Released>() > context.data() {
        return None;
    }
    // SAFETY: all of it lies before the frame, and any bytes are one.
    let released = unsafe { &mut *(start as *mut Released) };
    // A driver's metadata is another.
    (released.cookie == COOKIE).then_some(released)
}

#[inline(always)]
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one record, field by field: it has no room on the stack"
)]
fn hold(context: &XdpContext) -> bool {
    let frame = XdpFrame::new(context);
    let (Some(asked), bytes) = (traced(), frame.len()) else { return false };
    if holds() == NOBODY || bytes == 0 || bytes > MAX_BYTES {
        return false;
    }
    let (tags, interface) = (frame.tags(), ingress(context));
    let Some(mut entry) = EARLY.reserve(0) else { return false };
    let early = entry.as_mut_ptr();
    // verifier: one at least, and no more than there is room for
    let size = (veil(bytes as u64 - 1) & (MAX_BYTES as u64 - 1)) + 1;
    // SAFETY: the record is this CPU's until it is submitted; the helper writes as many bytes as it is told.
    let is_whole = unsafe {
        (*early).key = *asked.key();
        (*early).start = asked.start();
        (*early).interface = interface;
        (*early).tags = tags;
        (*early).bytes = bytes as u32;
        (*early).pad = 0;
        let frame = (&raw mut (*early).frame).cast();
        bpf_xdp_load_bytes(context.ctx, 0, frame, size as u32) == 0
    };
    if is_whole {
        entry.submit(0);
    } else {
        entry.discard(0);
    }
    is_whole
}

#[inline(always)]
fn holds() -> u64 {
    // SAFETY: the controller writes the word whole.
    HOLDS.get_ptr(0).map_or(NOBODY, |holds| unsafe { holds.read_volatile() })
}
