//! A fragment and what is known of its datagram.

use lvs_common::{
    map::{Course, Datagram},
    pieces::{Fit, Piece},
    sched::Opaque,
    verdict::Reason,
};

/// What is known of a fragment's datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Not what becomes of it.
    Unknown,
    /// What becomes of it, and the piece fits.
    Known,
    /// The piece does not.
    Refused(Reason),
}

/// Adds a piece to a datagram; whether it has come whole now, too.
#[inline(always)]
pub fn trace<O: Opaque>(datagram: &mut Datagram, piece: Piece, now: u32) -> (Trace, bool) {
    if datagram.is_expired(now) {
        return (Trace::Unknown, false);
    }
    if datagram.course != Course::REQUEST && datagram.course != Course::REPLY {
        // Whoever gets it looks at its pieces.
        return (Trace::Known, false);
    }
    match datagram.pieces.add::<O>(piece) {
        Fit::Fits => (Trace::Known, false),
        Fit::Completes => (Trace::Known, true),
        Fit::Duplicate => (Trace::Refused(Reason::FragmentDuplicate), false),
        Fit::Overlaps => {
            datagram.course = Course::REFUSED;
            (Trace::Refused(Reason::FragmentOverlap), false)
        }
        Fit::Scattered => {
            datagram.course = Course::REFUSED;
            (Trace::Refused(Reason::FragmentEndless), false)
        }
    }
}
