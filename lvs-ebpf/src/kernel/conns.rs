//! The connection tables' maps as buckets.

use lvs_common::conntable::{Bucket, Buckets, ends};

use super::{
    atomic,
    maps::{BUCKETS, BUCKETS6, CONNS, CONNS6},
};

/// The table of IPv4.
#[derive(Clone, Copy)]
pub struct Conns;

/// The table of IPv6.
#[derive(Clone, Copy)]
pub struct Conns6;

/// One bucket: 32 words of a map value, or 64 with ends, which is never freed while the program is
/// loaded.
#[derive(Clone, Copy)]
pub struct Row {
    words: *mut u64,
    /// The bucket's number.
    pub index: u32,
}

impl Buckets for Conns {
    type Bucket = Row;

    #[inline(always)]
    fn count(&self) -> u32 {
        BUCKETS.load()
    }

    #[inline(always)]
    fn at(&self, index: u32) -> Option<Row> {
        CONNS.get_ptr_mut(index).map(|bucket| Row { words: bucket.cast(), index })
    }

    #[inline(always)]
    fn veil(value: u64) -> u64 {
        atomic::veil(value)
    }
}

impl Buckets for Conns6 {
    type Bucket = Row;

    #[inline(always)]
    fn count(&self) -> u32 {
        BUCKETS6.load()
    }

    #[inline(always)]
    fn at(&self, index: u32) -> Option<Row> {
        let row = CONNS6.get_ptr_mut(index).map(|bucket| Row { words: bucket.cast(), index })?;
        ends::expect(row);
        Some(row)
    }

    #[inline(always)]
    fn veil(value: u64) -> u64 {
        atomic::veil(value)
    }
}

impl Row {
    /// A word of the bucket; callers ask for words that it has only, which the verifier checks.
    #[inline(always)]
    fn word(self, word: usize) -> *mut u64 {
        self.words.wrapping_add(word)
    }
}

impl Bucket for Row {
    #[inline(always)]
    fn load(self, word: usize) -> u64 {
        // SAFETY: within the bucket; others write it with single stores of the same width.
        unsafe { self.word(word).read_volatile() }
    }

    #[inline(always)]
    fn expect(self, word: usize) {
        // A load whose value nobody waits for: there is no instruction to prefetch.
        self.load(word);
    }

    #[inline(always)]
    fn store(self, word: usize, value: u64) {
        // SAFETY: within the bucket.
        unsafe { self.word(word).write_volatile(value) }
    }

    #[inline(always)]
    fn cas(self, word: usize, old: u64, new: u64) -> u64 {
        // SAFETY: within the bucket, and buckets are aligned to their size.
        unsafe { atomic::compare_exchange(self.word(word), old, new) }
    }

    #[inline(always)]
    fn swap(self, word: usize, value: u64) -> u64 {
        // SAFETY: as above.
        unsafe { atomic::exchange(self.word(word), value) }
    }

    #[inline(always)]
    fn touch(self, word: usize, expires: u32) {
        let low = self.word(word).cast::<u32>();
        // SAFETY: the low half of a word of the bucket.
        if unsafe { low.read_volatile() } != expires {
            // SAFETY: as above.
            unsafe { low.write_volatile(expires) }
        }
        let packets = low.wrapping_add(1).cast::<u16>();
        // SAFETY: the sixteen bits above the low half. The count is only of use as a hint: two CPUs
        // may lose one.
        let count = unsafe { packets.read_volatile() };
        // SAFETY: as above.
        unsafe { packets.write_volatile(count.wrapping_add(1)) }
    }
}
