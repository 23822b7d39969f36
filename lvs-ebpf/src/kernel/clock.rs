//! The connection clock: ticks of whole jiffies.

use aya_ebpf::{
    helpers::{bpf_jiffies64, bpf_ktime_get_ns},
    programs::XdpContext,
};

use super::maps::TICK_SHIFT;

/// The clock, before the controller's offset. Jiffies, since reading them is one load.
#[inline(always)]
pub fn ticks() -> u32 {
    ticks_since_boot() as u32
}

/// All of the clock.
#[inline(always)]
pub fn ticks_since_boot() -> u64 {
    // SAFETY: the helper has no conditions.
    (unsafe { bpf_jiffies64() }) >> (TICK_SHIFT.load() & 31)
}

/// Writes jiffies and nanoseconds since boot into the first sixteen bytes of the packet.
#[inline(always)]
pub fn write(context: &XdpContext) {
    let start = context.data();
    if start + 16 > context.data_end() {
        return;
    }
    let words = start as *mut u64;
    // SAFETY: the helper has no conditions.
    let jiffies = unsafe { bpf_jiffies64() };
    // SAFETY: as above.
    let nanoseconds = unsafe { bpf_ktime_get_ns() };
    // SAFETY: sixteen bytes were checked above.
    unsafe { words.write_unaligned(jiffies) };
    // SAFETY: as above.
    unsafe { words.wrapping_add(1).write_unaligned(nanoseconds) };
}
