//! The scheduler's choice, as functions of their own. What it is about, and what a walk over the
//! real servers carries from step to step, lies in a value of this CPU's.
// verifier: a global function is verified once, by itself, with its own stack; in line, everything
// behind it would be walked again for each way through it. And of a map's value the verifier keeps
// nothing in mind: with a walk's state there, all steps look the same to it, and no stack is needed.

use core::cell::UnsafeCell;

use lvs_common::{
    map::{Called, Service},
    sched::{Hint, Kind, Remembered},
};
use lvs_ebpf::{ip::Ip, packet::Packet, schedule};

use super::{maps::CHOICE, pool::KernelPool};

/// What a choice is about, and its memory.
#[repr(C)]
pub struct Choice {
    pub(crate) service: Service,
    pub(crate) hint: Hint,
    pub(crate) called: Called,
    /// A walk's state: what it is, the walk knows.
    pub(crate) walk: UnsafeCell<Walk>,
    /// The set of remembered real servers that a walk goes through.
    // verifier: a copy, since a map's value cannot hold a pointer to another's.
    pub(crate) set: Remembered,
    /// Nobody remembered: never written.
    pub(crate) nobody: Remembered,
}

/// Room for the state of any walk.
pub(crate) type Walk = [u64; 6];

/// `lvs_choose`: no real server takes connections.
const NOBODY: u32 = u32::MAX;

/// This CPU's value; XDP programs of one CPU do not interrupt each other.
#[inline(always)]
fn choice() -> Option<*mut Choice> {
    CHOICE.get_ptr_mut(0)
}

/// The position that the service's scheduler chooses.
#[inline(always)]
pub(crate) fn choose<A: Ip>(service: &Service, packet: &Packet<A>) -> Option<u32> {
    // SAFETY: nobody else has this CPU's value while the packet is under way, and `lvs_choose`
    // takes it anew.
    let asked = unsafe { &mut *choice()? };
    asked.service = *service;
    asked.hint = packet.hint();
    asked.called =
        Called { address: packet.destination.wide(), service: service.slot, era: service.era };
    let position = lvs_choose();
    (position != NOBODY).then_some(position)
}

/// Whatever the scheduler: its family knows it.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_choose() -> u32 {
    // SAFETY: as above; what changes meanwhile are cells.
    let Some(choice) = choice().map(|choice| unsafe { &*choice }) else { return NOBODY };
    match Kind::try_from(choice.service.scheduler) {
        Ok(Kind::Rr | Kind::Wrr | Kind::Fo | Kind::Ovf) => lvs_heaviest(),
        Ok(Kind::Lc | Kind::Wlc | Kind::Sed | Kind::Nq | Kind::Twos) => lvs_least(),
        Ok(Kind::Dh | Kind::Sh | Kind::Mh) => lvs_hashed(),
        Ok(Kind::Lblc | Kind::Lblcr) => lvs_locality(),
        Err(_) => NOBODY,
    }
}

/// The schedulers that look for weight.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_heaviest() -> u32 {
    among([Kind::Rr, Kind::Wrr, Kind::Fo, Kind::Ovf])
}

/// The schedulers that look for little load.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_least() -> u32 {
    among([Kind::Lc, Kind::Wlc, Kind::Sed, Kind::Nq, Kind::Twos])
}

/// The schedulers that hash.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_hashed() -> u32 {
    among([Kind::Dh, Kind::Sh, Kind::Mh])
}

/// The schedulers that remember addresses.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_locality() -> u32 {
    among([Kind::Lblc, Kind::Lblcr])
}

/// What the service's scheduler chooses, which is one of these.
#[inline(always)]
fn among<const N: usize>(kinds: [Kind; N]) -> u32 {
    // SAFETY: as above; what changes meanwhile are cells.
    let Some(choice) = choice().map(|choice| unsafe { &*choice }) else { return NOBODY };
    for kind in kinds {
        if choice.service.scheduler == kind as u8 {
            let chosen = schedule::by(kind, &choice.service, choice.hint, &KernelPool { choice });
            return chosen.unwrap_or(NOBODY);
        }
    }
    NOBODY
}
