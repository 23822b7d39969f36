//! What lblc and lblcr remember of a destination address.

use core::{cell::Cell, ops::ControlFlow};

use super::{
    pool::{Candidate, Pool, Scan},
    select::{Opaque, less, pick},
};

/// How many real servers are remembered of one address; IPVS has no bound. One more pushes the
/// oldest out.
pub const SET: u32 = 32;

/// From so many addresses of a service on, those that rest are forgotten sooner.
pub const SOFT_LIMIT: u32 = 16_384;

/// With more addresses than this no new ones are remembered; choosing goes on without.
pub const HARD_LIMIT: u32 = SOFT_LIMIT + SOFT_LIMIT / 2;

/// A pool that remembers where it sent the addresses that clients called.
pub trait Locality: Pool {
    /// What is remembered of the packet's destination address.
    fn remembered(&self) -> Option<&Remembered>;

    /// Begins to remember it; `None`: no room, which hinders nothing.
    fn begin(&self) -> Option<&Remembered>;

    /// The stable number of the real server at `position`: the same as long as the service has, had
    /// or has again a real server of that address and port.
    fn id(&self, position: u32) -> Option<u32>;

    /// Where the real server of this number stands; `None` when it is no longer in the service.
    fn position(&self, id: u32) -> Option<u32>;

    /// The real server of this number. A deleted one whose counters still exist is `overloaded`,
    /// with the weight it had.
    fn server(&self, id: u32) -> Option<Candidate>;

    /// The time, in nanoseconds from any beginning.
    fn now_ns(&self) -> u64;

    /// Time without change after which lblcr makes a set smaller (`lblcr_expiration`; default one
    /// day).
    fn expiration_ns(&self) -> u64;

    /// Visits the real servers remembered, newest first; what the scan is told and gives as a
    /// position is their place in the set.
    #[inline(always)]
    fn scan_remembered<S: Scan>(&self, of: &Remembered, mut scan: S) -> S {
        for place in 0..SET {
            let Some(id) = of.get(place) else { break };
            let Some(candidate) = self.server(id) else { continue };
            if scan.visit::<Self::Opaque>(place, candidate).is_break() {
                break;
            }
        }
        scan
    }
}

/// The real servers that one destination address is sent to, newest first: the value of the map.
/// All zero: none.
///
/// CPUs change it where it lies, without a lock, word by word. What they may lose of each other's
/// is a real server of the set or the time of its change; a number that is read is checked against
/// the service before it is used. Cells, not atomics: LLVM has no atomic loads and stores for BPF
/// below cpu v4, and a cell's are the same plain ones.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Remembered {
    /// When it was last looked up.
    last_use_ns: Cell<u64>,
    /// When the set last grew or shrank.
    modified_ns: Cell<u64>,
    /// Two to a word, 1 + id each, the first in the low half; 0: no more.
    ids: [Cell<u64>; SET as usize / 2],
}

const _: () = assert!(size_of::<Remembered>() == Remembered::WORDS * 8, "the map holds words");

impl From<[u64; Self::WORDS]> for Remembered {
    fn from(words: [u64; Self::WORDS]) -> Self {
        let [last_use_ns, modified_ns, ids @ ..] = words.map(Cell::new);
        Self { last_use_ns, modified_ns, ids }
    }
}

impl Remembered {
    /// Words of the value.
    pub const WORDS: usize = 2 + SET as usize / 2;

    /// The ids in the set, the newest first.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        (0..SET).map_while(|place| self.get(place))
    }

    /// The id in this place of the set.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the half at the bottom")]
    pub fn get(&self, place: u32) -> Option<u32> {
        let pair = self.ids.get(place as usize / 2)?.get();
        ((pair >> ((place & 1) * 32)) as u32).checked_sub(1)
    }

    /// Becomes the same set, whatever its times.
    #[inline(always)]
    pub fn copy(&self, of: &Self) {
        for (word, theirs) in self.ids.iter().zip(&of.ids) {
            word.set(theirs.get());
        }
    }

    /// Notes that it was looked up.
    #[inline(always)]
    pub fn touch(&self, now_ns: u64) {
        self.last_use_ns.set(now_ns);
    }

    /// Nanoseconds since it was last looked up.
    #[inline(always)]
    pub fn unused_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.last_use_ns.get())
    }

    /// Nanoseconds since the set grew or shrank.
    #[inline(always)]
    pub fn unchanged_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.modified_ns.get())
    }

    /// Makes this the only real server.
    #[inline(always)]
    pub fn replace(&self, id: u32, now_ns: u64) {
        for word in &self.ids {
            word.set(0);
        }
        self.ids[0].set(u64::from(id) + 1);
        self.touch(now_ns);
        self.modified_ns.set(now_ns);
    }

    /// Adds a real server in the first place, unless the set has it.
    #[inline(always)]
    pub fn insert<O: Opaque>(&self, id: u32, now_ns: u64) {
        let entry = u64::from(id) + 1;
        let mut has_it = 0;
        for word in &self.ids {
            has_it |= all_ones_if_equal::<O>(low(word.get()), entry);
            has_it |= all_ones_if_equal::<O>(high(word.get()), entry);
        }
        if has_it != 0 {
            return;
        }
        let mut carried = entry;
        for word in &self.ids {
            let pair = word.get();
            word.set(pair << 32 | carried);
            carried = high(pair);
        }
        self.modified_ns.set(now_ns);
    }

    /// Takes the real server in this place out; those behind it move up.
    #[inline(always)]
    pub fn erase<O: Opaque>(&self, place: u32, now_ns: u64) {
        let mut behind = 0;
        for (word, index) in self.ids.iter().rev().zip((0..SET / 2).rev()) {
            let pair = word.get();
            let first = pick(moves_up::<O>(place, 2 * index), high(pair), low(pair));
            let second = pick(moves_up::<O>(place, 2 * index + 1), behind, high(pair));
            word.set(second << 32 | first);
            behind = low(pair);
        }
        self.modified_ns.set(now_ns);
    }
}

/// What to forget of one service in one run of the collector, every 60 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Only what was unused longer than this.
    pub unused_ns: u64,
    /// And no more than so many addresses.
    pub at_most: u32,
}

/// The collector's `run` (counted from 1) over `addresses`: every 30th forgets all that were unused
/// for `expiration_ns` (`lblc_expiration`, `lblcr_expiration`), others what is over the soft limit
/// and unused for six minutes.
///
/// `ip_vs_lblc_check_expire`.
#[must_use]
pub const fn collection(run: u32, addresses: u32, expiration_ns: u64) -> Collection {
    const IDLE_NS: u64 = 360 * 1_000_000_000;
    if run.is_multiple_of(30) {
        return Collection { unused_ns: expiration_ns, at_most: u32::MAX };
    }
    let surplus = addresses.saturating_sub(SOFT_LIMIT);
    let goal = surplus.saturating_mul(4) / 3;
    let at_most = if goal < SOFT_LIMIT / 2 { goal } else { SOFT_LIMIT / 2 };
    Collection { unused_ns: IDLE_NS, at_most }
}

/// More active connections than its weight, while another has fewer than half its own.
///
/// `is_overloaded` in `ip_vs_lblc.c`; not the threshold's flag.
#[inline(always)]
pub(super) fn is_busy<P: Pool>(of: Candidate, pool: &P) -> bool {
    of.active > of.weight && pool.seek(0, pool.len(), Bored::default()).0
}

/// Whether one has fewer active connections than half its weight.
#[derive(Default)]
struct Bored(bool);

impl Scan for Bored {
    #[inline(always)]
    fn visit<O: Opaque>(&mut self, _position: u32, of: Candidate) -> ControlFlow<()> {
        self.0 |= u64::from(of.active) * 2 < u64::from(of.weight);
        if self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    #[inline(always)]
    fn chosen(&self) -> Option<u32> {
        None
    }
}

/// All ones when what stands at `at` makes room for what is behind it.
#[inline(always)]
fn moves_up<O: Opaque>(erased: u32, at: u32) -> u64 {
    less::<O>(erased.into(), u64::from(at) + 1)
}

/// All ones when two numbers below 2^63 are equal.
#[inline(always)]
fn all_ones_if_equal<O: Opaque>(a: u64, b: u64) -> u64 {
    less::<O>(a ^ b, 1)
}

#[inline(always)]
const fn low(pair: u64) -> u64 {
    pair & 0xffff_ffff
}

#[inline(always)]
const fn high(pair: u64) -> u64 {
    pair >> 32
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{super::select::Transparent, *};

    fn ids(of: &Remembered) -> Vec<u32> {
        of.ids().collect()
    }

    #[test]
    fn a_set_holds_the_newest_first_and_each_once() {
        let set = Remembered::default();
        assert_eq!(ids(&set), []);
        for id in [7, 0, u32::MAX - 1, 7, 5] {
            set.insert::<Transparent>(id, 10);
        }
        assert_eq!(ids(&set), [5, u32::MAX - 1, 0, 7]);
        set.replace(3, 20);
        assert_eq!(ids(&set), [3]);
    }

    #[test]
    fn erasing_closes_the_gap() {
        for place in 0..5 {
            let set = Remembered::default();
            (0..5).for_each(|id| set.insert::<Transparent>(4 - id, 1));
            set.erase::<Transparent>(place, 2);
            let left: Vec<_> = (0..5).filter(|&id| id != place).collect();
            assert_eq!(ids(&set), left);
        }
    }

    #[test]
    fn a_full_set_drops_the_oldest() {
        let set = Remembered::default();
        (0..=SET).for_each(|id| set.insert::<Transparent>(id, 1));
        assert_eq!(ids(&set), (1..=SET).rev().collect::<Vec<_>>());
        set.erase::<Transparent>(SET - 1, 2);
        assert_eq!(ids(&set).len(), SET as usize - 1);
    }

    #[test]
    fn only_changes_count_as_changes() {
        let set = Remembered::default();
        set.insert::<Transparent>(1, 100);
        set.insert::<Transparent>(1, 200);
        set.touch(250);
        assert_eq!((set.unchanged_ns(300), set.unused_ns(300)), (200, 50));
        set.erase::<Transparent>(0, 300);
        assert_eq!(set.unchanged_ns(300), 0);
    }

    #[test]
    fn collects_the_surplus_often_and_the_old_rarely() {
        let day = 86_400 * 1_000_000_000;
        let six_minutes = 360 * 1_000_000_000;
        let partly = |at_most| Collection { unused_ns: six_minutes, at_most };
        assert_eq!(collection(1, SOFT_LIMIT, day), partly(0));
        assert_eq!(collection(2, SOFT_LIMIT + 300, day), partly(400));
        assert_eq!(collection(3, HARD_LIMIT, day), partly(SOFT_LIMIT / 2));
        assert_eq!(collection(30, 1, day), Collection { unused_ns: day, at_most: u32::MAX });
    }
}
