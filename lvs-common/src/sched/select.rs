//! Choosing without branches: a scan over real servers that branches makes the verifier follow every way
//! through it, twice as many after each real server.

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
