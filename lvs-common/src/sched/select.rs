//! What the verifier wants of scans and of what they choose.
//!
//! No branches: a scan over real servers that branches makes it follow every way through, twice as
//! many after each real server. And no undefined halves: LLVM keeps an `Option<u32>` in two
//! registers and never writes the second of a `None`; kept over a call it is spilled, and the
//! verifier says `R8 !read_ok`. So what lives over a scan is a plain number.

/// Hides from the compiler what a word holds.
///
/// LLVM knows a comparison in whatever clothes, and makes a branch of it where BPF has no
/// conditional move; it must neither know how large the terms are nor that a mask is all ones or
/// zeros. The program's own, a register moved onto itself by `asm!`, is the cheapest; it is not
/// here because that is unsafe.
pub trait Opaque {
    /// The same word.
    fn opaque(word: u64) -> u64;
}

/// Hides nothing: for the host, where branches are free.
#[derive(Clone, Copy, Debug)]
pub enum Transparent {}

impl Opaque for Transparent {
    #[inline(always)]
    fn opaque(word: u64) -> u64 {
        word
    }
}

/// All ones when `a` is less than `b`, else zero; both, or their difference, below 2^63.
#[inline(always)]
pub(super) fn less<O: Opaque>(a: u64, b: u64) -> u64 {
    let difference = O::opaque(a.wrapping_sub(b));
    O::opaque((difference.cast_signed() >> 63).cast_unsigned())
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
