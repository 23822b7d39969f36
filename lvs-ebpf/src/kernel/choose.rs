//! The scheduler's choice, as a function of its own.
// verifier: a global function is verified once, by itself; in line, everything behind it would be
// walked again for each way through each scheduler.

use lvs_common::map::Service;
use lvs_ebpf::schedule;

use super::{maps::QUESTIONS, pool::KernelPool};

/// What `lvs_choose` returns when no real server takes connections.
const NOBODY: u32 = u32::MAX;

/// The position that the service's scheduler chooses.
#[inline(always)]
pub fn choose(service: &Service) -> Option<u32> {
    let question = QUESTIONS.get_ptr_mut(0)?;
    // SAFETY: this CPU's own value; XDP programs of one CPU do not interrupt each other.
    unsafe { *question = *service };
    let position = lvs_choose();
    (position != NOBODY).then_some(position)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_choose() -> u32 {
    let Some(service) = QUESTIONS.get(0) else { return NOBODY };
    schedule::choose(service, &KernelPool::new(service)).unwrap_or(NOBODY)
}
