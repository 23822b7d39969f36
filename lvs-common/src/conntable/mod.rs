//! The flat connection table: set-associative, one or two cache lines a look-up.
//!
//! A bucket holds eight connections; a client has two buckets by hash. The program, the sweeper and
//! the listing run this same code over one mapped array, without a lock:
//!
//! * a slot changes hands by compare-and-swap of its first word only, which holds the client, the
//!   phase, the state and a generation;
//! * an insertion *claims* a slot, looks for a rival, fills the slot, and *publishes* it: of two
//!   claims at least one sees the other, so no connection ever stands twice;
//! * a reader takes the words and looks at the first again: it never uses a slot that changed hands.
//!
//! A full pair of buckets gives up connections that have expired, then closed ones, then half-open
//! ones, the one nearest its end first; never a live established one. Measured and modelled in
//! `docs/conntable.md`.
//!
//! Knows nothing of maps, packets or clocks. Times are ticks that wrap.

pub mod ends;
mod find;
mod hash;
mod insert;
mod remove;
#[cfg(not(target_arch = "bpf"))]
pub mod shared;
pub mod word;

pub use find::{find, find_reply};
pub use hash::hashes;
pub use insert::{Done, Insert, New, insert};
pub use remove::{remove, set_state};
pub use word::{Entry, Key, WAYS, WORDS};

/// A bucket's words, shared with other CPUs and with user space.
///
/// `load` is an acquire; `cas` and `swap` are full barriers, as the kernel's memory model says of
/// atomics that return a value; `store` is relaxed and used between a claim and its publication.
pub trait Bucket: Copy {
    /// The word now.
    fn load(self, word: usize) -> u64;
    /// Lets a word's cache line be on its way from memory, for a load to come.
    #[inline(always)]
    fn expect(self, word: usize) {
        _ = word;
    }
    /// Sets a word that nobody else writes.
    fn store(self, word: usize, value: u64);
    /// Sets the word if it is `old`; what it was.
    fn cas(self, word: usize, old: u64, new: u64) -> u64;
    /// Sets the word; what it was.
    fn swap(self, word: usize, value: u64) -> u64;
    /// Sets the low half of the third word of a slot, the expiry, and counts a packet beside it.
    fn touch(self, word: usize, expires: u32);
}

/// All buckets of a table.
pub trait Buckets {
    /// One bucket.
    type Bucket: Bucket;

    /// How many; not zero.
    fn count(&self) -> u32;

    /// The bucket of an index below [`count`](Self::count).
    fn at(&self, index: u32) -> Option<Self::Bucket>;

    /// Fills in what a slot of this table holds besides its words, between claim and publication.
    #[inline(always)]
    fn fill(&self, bucket: Self::Bucket, way: usize) {
        _ = (bucket, way);
    }

    /// Keeps the compiler from turning arithmetic back into branches.
    // verifier: a branch for each of sixteen ways would be 65 536 paths.
    #[inline(always)]
    #[must_use]
    fn veil(value: u64) -> u64 {
        value
    }
}

/// Which connections may be given up for a new one, and how gladly.
const FIRST_CROWDED: u64 = 6;

/// A connection that was found or made, where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Hit<B> {
    /// The bucket.
    pub bucket: B,
    /// The way within it.
    pub way: usize,
    /// The words that were read, all of one connection.
    pub entry: Entry,
}

impl<B: Bucket> Hit<B> {
    /// The peer's word, for NAT; `None` when the slot has changed hands since the look-up.
    #[inline(always)]
    pub fn peer(&self) -> Option<u64> {
        let peer = self.bucket.load(word::at(self.way, 3));
        self.stands().then_some(peer)
    }

    /// Whether the slot is the connection's still, and with it all that was read before.
    #[inline(always)]
    pub fn stands(&self) -> bool {
        word::same_connection(self.bucket.load(word::at(self.way, 0)), self.entry.w0)
    }

    /// Sets when the connection ends, and counts the packet.
    #[inline(always)]
    pub fn touch(&self, expires: u32) {
        self.bucket.touch(word::at(self.way, 2), expires);
    }
}

/// The bucket's index for a hash, without dividing.
#[inline(always)]
#[must_use]
pub const fn index(hash: u32, count: u32) -> u32 {
    ((hash as u64 * count as u64) >> 32) as u32
}
