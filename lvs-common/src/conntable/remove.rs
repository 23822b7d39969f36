//! Changing a connection's state, and ending it.

use super::{
    Bucket, Hit,
    word::{self, GENERATION, STATE, STATE_AT},
};
use crate::tcp_state::{State, Transitions};

/// Tries that a state change makes against other CPUs' changes.
const TRIES: usize = 2;

/// Moves a connection to the state that a packet brings it to.
///
/// Returns the states before and after, of exactly the change that was made; `None` when the slot
/// has changed hands, or others kept changing it.
#[inline(always)]
pub fn set_state<B: Bucket>(hit: &Hit<B>, transitions: Transitions) -> Option<(State, State)> {
    let place = word::at(hit.way, 0);
    let mut entry = hit.entry;
    let mut tries = 0;
    while tries < TRIES {
        let (before, after) = (entry.state(), transitions.after(entry.state()));
        if before == after {
            return Some((before, after));
        }
        let changed = entry.w0 & !STATE | (after.number() as u64 & 15) << STATE_AT;
        let seen = hit.bucket.cas(place, entry.w0, changed);
        if seen == entry.w0 {
            return Some((before, after));
        }
        if !word::same_connection(seen, entry.w0) {
            return None;
        }
        entry.w0 = seen;
        tries += 1;
    }
    None
}

/// Ends exactly the connection that was seen, in the state that it was seen in; whether it was this
/// call that did. Its accounts are the caller's.
#[inline(always)]
pub fn remove<B: Bucket>(hit: &Hit<B>) -> bool {
    let w0 = hit.entry.w0;
    // The generation stays; the next claim raises it.
    hit.bucket.cas(word::at(hit.way, 0), w0, w0 & GENERATION) == w0
}
