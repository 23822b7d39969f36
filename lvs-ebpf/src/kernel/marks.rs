//! The firewall mark of a packet, over the map of rules.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use lvs_common::{
    map::{Family, MARK_PLACES, MAX_MARK_RULES, ServiceKey, marks_that_hold},
    mark::{self, Classify, Subject},
};

use super::maps::MARKS;

/// The mark of a packet to a key's address and port, or 0. `holds` is [`Tunables::marks`].
///
/// [`Tunables::marks`]: lvs_common::map::Tunables::marks
#[inline(always)]
pub fn mark(holds: u32, key: &ServiceKey) -> u32 {
    if marks_that_hold(holds).1 == 0 {
        return mark::NONE;
    }
    let [high, low] = bytemuck::cast(key.address);
    let family = u64::from(key.family == Family::V6);
    let rest = family << 24 | u64::from(key.protocol) << 16 | u64::from(key.port.get());
    lvs_mark(holds, high, low, rest)
}

/// Which rules hold; the address as two words as they lie; family (1: IPv6), protocol and port from
/// the 25th, 17th and first bit on.
// verifier: a function of its own, so that what comes after it is not walked again for each way
// through the loop's callback.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_mark(holds: u32, high: u64, low: u64, rest: u64) -> u32 {
    let (first, count) = marks_that_hold(holds);
    let family = if rest >> 24 == 0 { Family::V4 } else { Family::V6 };
    let subject =
        Subject::new(bytemuck::cast([high, low]), family, (rest >> 16) as u8, rest as u16);
    let mut walk = Walk { first: u64::from(first), fold: Classify::new(subject) };
    let steps = count.min(MAX_MARK_RULES as u32);
    // SAFETY: the callback gets a pointer to the walk, which outlives the call.
    unsafe { bpf_loop(steps, step as *mut c_void, (&raw mut walk).cast(), 0) };
    walk.fold.mark()
}

/// What `bpf_loop` carries from rule to rule.
struct Walk {
    first: u64,
    fold: Classify,
}

/// The callback: one rule; not zero ends the loop.
unsafe extern "C" fn step(number: u64, walk: *mut c_void) -> i64 {
    // SAFETY: `lvs_mark` passes a pointer to its own walk, which outlives the loop.
    let walk = unsafe { &mut *walk.cast::<Walk>() };
    // verifier: an index below the number of places
    let place = walk.first.wrapping_add(number) as usize & (MARK_PLACES - 1);
    let Some(rule) = MARKS.get(0).and_then(|rules| rules.get(place)) else { return 1 };
    i64::from(walk.fold.visit(rule).is_break())
}
