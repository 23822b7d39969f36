//! The schedulers of IPVS: which real server a new connection goes to.
//!
//! Pure: no maps, no packets, no allocation, no branches that a verifier would trip over. The same code runs in
//! the program for every new connection, in the controller where tables can be built beforehand,
//! and in tests against recordings of the kernel's own choices.
//!
//! Every scheduler is a file that begins with its formula. They stand on two folds over the real servers
//! ([`heaviest`]: rr, wrr, fo, ovf; least loaded: lc, wlc, sed, nq) or on a table of buckets (sh, dh, mh).
//! The order of real servers is the kernel's: **the newest first**, and the first wins ties.

#![forbid(unsafe_code)]
#![expect(clippy::inline_always, reason = "the program has no calls on the choosing path")]

mod kind;
mod pool;
mod select;

pub mod heaviest;
pub mod rr;
pub mod wrr;

#[cfg(test)]
mod testing;

pub use self::{
    kind::{Flags, Kind, UnknownScheduler},
    pool::{Candidate, Pool, Probe, Scan},
};

/// How often a choice is made anew because another CPU moved the cursor meanwhile; then it stands, and
/// two connections have taken the same step.
const TRIES: u32 = 2;
