//! A table in memory that is shared with others: the program's map as user space maps it, or a vector.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering, fence};

use super::{Bucket, Buckets, Entry, Hit, WAYS, WORDS, ends, word};

/// Words of a bucket.
pub const BUCKET: usize = WAYS * WORDS;

/// A table over words.
#[derive(Clone, Copy)]
pub struct View<'a> {
    words: &'a [AtomicU64],
    bucket: usize,
}

/// One bucket of it.
#[derive(Clone, Copy)]
pub struct Row<'a>(&'a [AtomicU64]);

impl<'a> View<'a> {
    /// The table in these words; a rest that is no whole bucket is left out.
    #[must_use]
    pub fn new(words: &'a [AtomicU64]) -> Self {
        Self { words, bucket: BUCKET }
    }

    /// The same of a table with [ends](super::ends).
    #[must_use]
    pub fn with_ends(words: &'a [AtomicU64]) -> Self {
        Self { words, bucket: ends::BUCKET }
    }

    /// Every bucket, in order.
    pub fn rows(self) -> impl Iterator<Item = Row<'a>> {
        self.words.chunks_exact(self.bucket).map(Row)
    }

    /// Every connection that stands in the table.
    pub fn entries(self) -> impl Iterator<Item = Entry> {
        self.hits().map(|hit| hit.entry)
    }

    /// Every connection, and where it stands.
    pub fn hits(self) -> impl Iterator<Item = Hit<Row<'a>>> {
        let hit = |bucket, way| Some(Hit { bucket, way, entry: Entry::read(bucket, way)? });
        self.rows().flat_map(move |row| (0..WAYS).filter_map(move |way| hit(row, way)))
    }

    /// Slots that somebody has claimed and not yet published.
    #[must_use]
    pub fn claims(self) -> usize {
        self.rows()
            .flat_map(|row| (0..WAYS).map(move |way| row.load(word::at(way, 0))))
            .filter(|w0| ![word::EMPTY, word::LIVE].contains(&(w0 & word::PHASE)))
            .count()
    }
}

impl<'a> Buckets for View<'a> {
    type Bucket = Row<'a>;

    fn count(&self) -> u32 {
        u32::try_from(self.words.len() / self.bucket).unwrap_or(u32::MAX)
    }

    fn at(&self, index: u32) -> Option<Row<'a>> {
        let first = (index as usize).checked_mul(self.bucket)?;
        self.words.get(first..first + self.bucket).map(Row)
    }
}

impl Bucket for Row<'_> {
    fn load(self, word: usize) -> u64 {
        self.0[word].load(Ordering::Acquire)
    }

    fn store(self, word: usize, value: u64) {
        self.0[word].store(value, Ordering::Relaxed);
    }

    fn cas(self, word: usize, old: u64, new: u64) -> u64 {
        // A BPF atomic is a full barrier; a SeqCst operation of C11 alone is not.
        fence(Ordering::SeqCst);
        let was = self.0[word].compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
        fence(Ordering::SeqCst);
        was.unwrap_or_else(|was| was)
    }

    fn swap(self, word: usize, value: u64) -> u64 {
        fence(Ordering::SeqCst);
        let was = self.0[word].swap(value, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        was
    }

    fn touch(self, word: usize, expires: u32) {
        let old = self.0[word].load(Ordering::Relaxed);
        self.0[word].store(word::touched(old, expires), Ordering::Relaxed);
    }
}
