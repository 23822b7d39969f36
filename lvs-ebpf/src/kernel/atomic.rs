//! Atomic instructions of BPF, which `core::sync::atomic` does not have on this target.
//!
//! Those that return a value are full barriers in the kernel's memory model.

use core::arch::asm;

/// Adds to the word; what it was.
///
/// # Safety
/// `word` points to eight aligned bytes of a map value.
#[inline(always)]
pub unsafe fn fetch_add(word: *mut u64, amount: u64) -> u64 {
    let mut value = amount;
    // SAFETY: the caller's.
    unsafe {
        asm!("{v} = atomic_fetch_add((u64 *)({p} + 0), {v})", p = in(reg) word, v = inout(reg) value);
    }
    value
}

/// Sets the word if it is `old`; what it was.
///
/// # Safety
/// `word` points to eight aligned bytes of a map value.
#[inline(always)]
pub unsafe fn compare_exchange(word: *mut u64, old: u64, new: u64) -> u64 {
    let mut value = old;
    // SAFETY: the caller's.
    unsafe {
        asm!("r0 = cmpxchg_64({p} + 0, r0, {n})", p = in(reg) word, n = in(reg) new, inout("r0") value);
    }
    value
}

/// Sets the word; what it was.
///
/// # Safety
/// `word` points to eight aligned bytes of a map value.
#[inline(always)]
pub unsafe fn exchange(word: *mut u64, new: u64) -> u64 {
    let mut value = new;
    // SAFETY: the caller's.
    unsafe {
        asm!("{v} = xchg_64({p} + 0, {v})", p = in(reg) word, v = inout(reg) value);
    }
    value
}

/// The value, through a step that the compiler cannot see through.
#[inline(always)]
pub fn veil(mut value: u64) -> u64 {
    // SAFETY: moves a register onto itself.
    unsafe { asm!("{v} = {v}", v = inout(reg) value, options(pure, nomem, nostack)) };
    value
}
