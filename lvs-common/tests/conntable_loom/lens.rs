//! The table through a lens: clear, or with one rule of the protocol broken.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use loom::sync::atomic::{AtomicU64, Ordering};
use lvs_common::conntable::{
    Bucket, Buckets, WAYS,
    shared::{BUCKET, Row, View},
    word::{CLAIMED, KILLED, LIVE, PHASE},
};

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// After its claim an insertion does not look for rivals.
    NoSecondLook,
    /// A reader does not look at the first word again.
    NoRecheck,
    /// A claim does not end another one of its client at a higher place.
    NoKill,
    /// A state changes by a store.
    PlainState,
    /// Compare-and-swap is no full barrier.
    NoBarrier,
}

/// What a lens has seen; one for each operation.
#[derive(Default)]
pub(crate) struct Notes {
    claimed: Cell<Option<Place>>,
    first: RefCell<BTreeMap<Place, u64>>,
}

/// Bucket and word.
type Place = (u32, usize);

/// The table, as one operation sees it.
pub(crate) struct Lens<'a> {
    pub(crate) words: &'a [AtomicU64],
    pub(crate) fault: Option<Fault>,
    pub(crate) notes: &'a Notes,
}

/// A bucket of it.
#[derive(Clone, Copy)]
pub(crate) struct LensRow<'a> {
    row: Row<'a>,
    words: &'a [AtomicU64],
    index: u32,
    fault: Option<Fault>,
    notes: &'a Notes,
}

impl<'a> Buckets for Lens<'a> {
    type Bucket = LensRow<'a>;

    fn count(&self) -> u32 {
        View::new(self.words).count()
    }

    fn at(&self, index: u32) -> Option<LensRow<'a>> {
        let row = View::new(self.words).at(index)?;
        let words = &self.words[index as usize * BUCKET..][..BUCKET];
        Some(LensRow { row, words, index, fault: self.fault, notes: self.notes })
    }
}

impl LensRow<'_> {
    fn breaks(self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

impl Bucket for LensRow<'_> {
    fn load(self, word: usize) -> u64 {
        let place = (self.index, word);
        if word < WAYS && self.breaks(Fault::NoSecondLook) {
            let others = self.notes.claimed.get().is_some_and(|claimed| claimed != place);
            return if others { 0 } else { self.row.load(word) };
        }
        if word < WAYS && self.breaks(Fault::NoRecheck) {
            let mut first = self.notes.first.borrow_mut();
            return *first.entry(place).or_insert_with(|| self.row.load(word));
        }
        self.row.load(word)
    }

    fn store(self, word: usize, value: u64) {
        self.row.store(word, value);
    }

    fn cas(self, word: usize, old: u64, new: u64) -> u64 {
        if self.breaks(Fault::NoKill) && new & PHASE == KILLED {
            return old;
        }
        if self.breaks(Fault::PlainState) && old & PHASE == LIVE && new & PHASE == LIVE {
            self.row.store(word, new);
            return old;
        }
        if self.breaks(Fault::NoBarrier) {
            let swap =
                self.words[word].compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
            return swap.unwrap_or_else(|was| was);
        }
        let was = self.row.cas(word, old, new);
        if was == old && new & PHASE == CLAIMED {
            self.notes.claimed.set(Some((self.index, word)));
        }
        was
    }

    fn swap(self, word: usize, value: u64) -> u64 {
        self.row.swap(word, value)
    }

    fn touch(self, word: usize, expires: u32) {
        self.row.touch(word, expires);
    }
}
