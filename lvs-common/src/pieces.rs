//! Which pieces of a datagram have come: whether one more fits between them.
//!
//! Pieces that touch are one range; there are at most [`RANGES`] of them, so that fragments in order are always
//! one. What Linux does (`inet_frag_queue_insert`): a piece that lies within a range is a duplicate; one
//! that lies partly within another makes the whole datagram worthless (RFC 5722 §3, for IPv4 as well).
//!
//! Without a branch a range: the program's verifier would walk each of them.

use bytemuck::{Pod, Zeroable};

use crate::sched::Opaque;

/// Ranges that are told apart.
pub const RANGES: usize = 16;

/// Bytes of a datagram's unit: offsets of fragments are multiples of it.
pub const UNIT: u32 = 8;

/// The longest datagram, bytes of payload.
const LONGEST: u32 = 65_535;

/// A fragment's part of its datagram's payload, in whole units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First unit.
    pub start: u32,
    /// The unit behind the last one; at most 8 192.
    pub end: u32,
    /// The datagram ends with it.
    pub is_last: bool,
}

/// What has come of a datagram's payload.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Pieces {
    /// Units of the whole; 0 while the last fragment has not come.
    pub total: u32,
    /// Zero.
    pub pad: u32,
    /// First unit in the high half, the one behind the last in the low one; 0 is none. In no order.
    pub ranges: [u32; RANGES],
}

/// What becomes of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It fits.
    Fits,
    /// It fits, and nothing is missing any more.
    Completes,
    /// It has come before, as a whole.
    Duplicate,
    /// It overlaps others in part, or contradicts them about the datagram's length.
    Overlaps,
    /// It would be one range too many.
    Scattered,
}

impl Piece {
    /// The piece of a fragment's offset and length in bytes; none if no datagram has such a piece: it is
    /// empty, ends within a unit although more is to come, or beyond the longest datagram.
    #[inline(always)]
    #[must_use]
    pub const fn new(offset: u32, bytes: u32, is_last: bool) -> Option<Self> {
        let end = offset + bytes;
        if bytes == 0 || end > LONGEST || !is_last && bytes & (UNIT - 1) != 0 {
            return None;
        }
        Some(Self { start: offset / UNIT, end: end.div_ceil(UNIT), is_last })
    }
}

impl Pieces {
    /// Of a datagram of which one piece has come.
    #[inline(always)]
    #[must_use]
    pub fn of(piece: Piece) -> Self {
        let mut pieces = Self::zeroed();
        pieces.ranges[0] = piece.start << 16 | piece.end;
        pieces.total = if piece.is_last { piece.end } else { 0 };
        pieces
    }

    /// Adds a piece, if it fits.
    #[inline(always)]
    pub fn add<O: Opaque>(&mut self, piece: Piece) -> Fit {
        let (start, end) = (u64::from(piece.start), u64::from(piece.end));
        let near = self.look::<O>(start, end);
        if near.contains != 0 {
            return Fit::Duplicate;
        }
        let total = u64::from(self.total);
        let contradicts = if total == 0 {
            piece.is_last && near.farthest > end
        } else {
            piece.is_last || end > total
        };
        if near.meets != 0 || contradicts {
            return Fit::Overlaps;
        }
        let before = self.range(near.before) >> 16;
        let after = self.range(near.after) & 0xffff;
        let merged_start = if near.before & FOUND != 0 { before } else { piece.start };
        let merged_end = if near.after & FOUND != 0 { after } else { piece.end };
        let at = if near.before & FOUND != 0 {
            if near.after & FOUND != 0 {
                *self.range_mut(near.after) = 0;
            }
            near.before
        } else if near.after & FOUND != 0 {
            near.after
        } else {
            near.free
        };
        if at & FOUND == 0 {
            return Fit::Scattered;
        }
        *self.range_mut(at) = merged_start << 16 | merged_end;
        if piece.is_last {
            self.total = piece.end;
        }
        if merged_start == 0 && merged_end == self.total { Fit::Completes } else { Fit::Fits }
    }

    #[inline(always)]
    fn look<O: Opaque>(&self, start: u64, end: u64) -> Near {
        let mut near = Near::default();
        let mut at = 0;
        while at < RANGES {
            let range = u64::from(self.ranges[at]);
            let (first, last) = (range >> 16, range & 0xffff);
            let used = some::<O>(range);
            let place = at as u64 | FOUND;
            let meets = used & less::<O>(start, last) & less::<O>(first, end);
            near.meets |= meets;
            near.contains |= meets & (1 - less::<O>(start, first)) & (1 - less::<O>(last, end));
            // verifier: it follows both halves of a mask that meets a constant, but not of a product
            near.before |= place * (used & (1 - some::<O>(last ^ start)));
            near.after |= place * (used & (1 - some::<O>(first ^ end)));
            near.free = near.free * used + place * (1 - used);
            let is_farther = less::<O>(near.farthest, last);
            near.farthest = near.farthest * (1 - is_farther) + last * is_farther;
            at += 1;
        }
        near
    }

    // verifier: a place below sixteen
    #[inline(always)]
    fn range(&self, place: u64) -> u32 {
        self.ranges[(place & PLACE) as usize]
    }

    #[inline(always)]
    fn range_mut(&mut self, place: u64) -> &mut u32 {
        &mut self.ranges[(place & PLACE) as usize]
    }
}

const PLACE: u64 = RANGES as u64 - 1;
/// Of a place: there is one.
const FOUND: u64 = RANGES as u64;

/// The ranges near a piece.
#[derive(Clone, Copy, Default)]
struct Near {
    /// 1: some range has a part of it.
    meets: u64,
    /// 1: some range has all of it.
    contains: u64,
    /// The range that ends where it begins.
    before: u64,
    /// The range that begins where it ends.
    after: u64,
    /// A place for another range.
    free: u64,
    /// Where the last range ends.
    farthest: u64,
}

/// 1 if x is not 0, else 0.
#[inline(always)]
fn some<O: Opaque>(x: u64) -> u64 {
    O::opaque(O::opaque(x | x.wrapping_neg()) >> 63)
}

/// 1 if a < b, both below 2^63, else 0.
#[inline(always)]
fn less<O: Opaque>(a: u64, b: u64) -> u64 {
    O::opaque(O::opaque(a.wrapping_sub(b)) >> 63)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sched::Transparent;

    fn add(pieces: &mut Pieces, start: u32, end: u32, is_last: bool) -> Fit {
        pieces.add::<Transparent>(Piece { start, end, is_last })
    }

    fn begun(end: u32) -> Pieces {
        Pieces::of(Piece { start: 0, end, is_last: false })
    }

    #[test]
    fn pieces_in_order_are_one_range() {
        let mut pieces = begun(185);
        for number in 1..40 {
            assert_eq!(add(&mut pieces, number * 185, number * 185 + 185, false), Fit::Fits);
            assert_eq!(pieces.ranges.iter().filter(|range| **range != 0).count(), 1);
        }
        assert_eq!(add(&mut pieces, 40 * 185, 40 * 185 + 3, true), Fit::Completes);
    }

    #[test]
    fn a_gap_is_filled_from_either_side() {
        let mut pieces = begun(10);
        assert_eq!(add(&mut pieces, 20, 30, true), Fit::Fits);
        assert_eq!(add(&mut pieces, 15, 20, false), Fit::Fits);
        assert_eq!(add(&mut pieces, 10, 15, false), Fit::Completes);
    }

    #[test]
    fn what_has_come_is_a_duplicate_and_what_has_come_in_part_is_not() {
        let mut pieces = begun(10);
        assert_eq!(add(&mut pieces, 10, 20, false), Fit::Fits);
        for (start, end) in [(0, 10), (10, 20), (0, 20), (3, 12), (19, 20)] {
            assert_eq!(add(&mut pieces, start, end, false), Fit::Duplicate, "{start} {end}");
        }
        for (start, end) in [(19, 21), (0, 21), (5, 8_192)] {
            assert_eq!(add(&mut pieces, start, end, false), Fit::Overlaps, "{start} {end}");
        }
    }

    #[test]
    fn a_datagram_has_one_end() {
        let mut pieces = begun(10);
        assert_eq!(add(&mut pieces, 20, 30, true), Fit::Fits);
        assert_eq!(add(&mut pieces, 30, 40, true), Fit::Overlaps);
        assert_eq!(add(&mut pieces, 30, 40, false), Fit::Overlaps);
        assert_eq!(add(&mut pieces, 12, 15, true), Fit::Overlaps);
        let mut pieces = begun(10);
        assert_eq!(add(&mut pieces, 20, 30, false), Fit::Fits);
        assert_eq!(add(&mut pieces, 12, 15, true), Fit::Overlaps);
    }

    #[test]
    fn more_than_sixteen_ranges_are_too_many() {
        let mut pieces = begun(1);
        for number in 1..16 {
            assert_eq!(add(&mut pieces, number * 2, number * 2 + 1, false), Fit::Fits);
        }
        assert_eq!(add(&mut pieces, 100, 101, false), Fit::Scattered);
        assert_eq!(add(&mut pieces, 1, 2, false), Fit::Fits);
        assert_eq!(add(&mut pieces, 100, 101, false), Fit::Fits);
    }

    #[test]
    fn pieces_that_no_datagram_has() {
        assert_eq!(Piece::new(0, 0, true), None);
        assert_eq!(Piece::new(8, 7, false), None);
        assert_eq!(Piece::new(65_528, 8, true), None);
        assert_eq!(Piece::new(65_528, 7, true).unwrap().end, 8192);
        assert_eq!(
            Piece::new(1480, 1480, false).unwrap(),
            Piece { start: 185, end: 370, is_last: false }
        );
    }

    /// The same, unit by unit.
    #[derive(Default)]
    struct Units {
        come: Vec<bool>,
        total: Option<usize>,
    }

    impl Units {
        fn add(&mut self, piece: Piece) -> Fit {
            let (start, end) = (piece.start as usize, piece.end as usize);
            self.come.resize(self.come.len().max(end), false);
            if self.come[start..end].iter().all(|come| *come) {
                return Fit::Duplicate;
            }
            let farthest = self.come.iter().rposition(|come| *come).map_or(0, |last| last + 1);
            let contradicts = match self.total {
                None => piece.is_last && farthest > end,
                Some(total) => piece.is_last || end > total,
            };
            if contradicts || self.come[start..end].iter().any(|come| *come) {
                return Fit::Overlaps;
            }
            let mut with = self.come.clone();
            with[start..end].fill(true);
            let ranges = with.chunk_by(|a, b| a == b).filter(|run| run[0]).count();
            if ranges > RANGES {
                return Fit::Scattered;
            }
            self.come = with;
            if piece.is_last {
                self.total = Some(end);
            }
            let whole = self.total.is_some_and(|total| self.come[..total].iter().all(|come| *come));
            if whole { Fit::Completes } else { Fit::Fits }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_piece_is_judged_as_unit_by_unit(
            first in 1..6_u32,
            more in proptest::collection::vec((0..60_u32, 1..6_u32, 0..12_u8), 0..80),
        ) {
            let begin = Piece { start: 0, end: first, is_last: false };
            let (mut pieces, mut units) = (Pieces::of(begin), Units::default());
            prop_assert_eq!(units.add(begin), Fit::Fits);
            for (start, length, last) in more {
                let piece = Piece { start, end: start + length, is_last: last == 0 };
                let fit = pieces.add::<Transparent>(piece);
                prop_assert_eq!(fit, units.add(piece), "{:?} in {:?}", piece, pieces);
                prop_assert!(pieces.ranges.iter().all(|range| range >> 16 < range & 0xffff || *range == 0));
            }
        }

        #[test]
        fn any_pieces_do_no_harm(
            total in any::<u32>(),
            ranges in any::<[u32; RANGES]>(),
            start in 0..8192_u32, length in 1..8192_u32, is_last in any::<bool>(),
        ) {
            let mut pieces = Pieces { total, pad: 0, ranges };
            pieces.add::<Transparent>(Piece { start, end: (start + length).min(8192), is_last });
        }
    }
}
