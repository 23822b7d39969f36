//! What the verifier wants of scans and of what they choose.
//!
//! No branches: a scan over real servers that branches makes it follow every way through, twice as many
//! after each real server. And no undefined halves: LLVM keeps an `Option<u32>` in two registers and never
//! writes the second of a `None`; kept over a call it is spilled, and the verifier says `R8 !read_ok`. So what
//! lives over a scan is a plain number.

use core::hint::black_box;

/// All ones when `difference` is below zero as a signed number, else zero.
///
/// A comparison of two numbers below 2^63: pass `a - b` for `a < b`.
#[inline(always)]
pub(super) fn all_ones_if_negative(difference: u64) -> u64 {
    // verifier: without the black box LLVM sees a comparison again and makes a branch of it.
    black_box((difference.cast_signed() >> 63).cast_unsigned())
}

/// `yes` where the mask has ones, `no` where it has zeros.
#[inline(always)]
pub(super) const fn pick(mask: u64, yes: u64, no: u64) -> u64 {
    (yes & mask) | (no & !mask)
}

/// The number of no position.
pub(super) const NOBODY: u32 = u32::MAX;

/// A position as a number that is always defined.
#[inline(always)]
pub(super) fn number(position: Option<u32>) -> u32 {
    position.unwrap_or(NOBODY)
}

/// The position that a number stands for.
#[inline(always)]
pub(super) fn position(number: u32) -> Option<u32> {
    (number != NOBODY).then_some(number)
}
