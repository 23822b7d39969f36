//! The schedulers of IPVS: which real server a new connection goes to.
//!
//! Pure: no maps, no packets, no allocation, no branches that a verifier would trip over. The same
//! code runs in the program for every new connection, in the controller, which builds the tables
//! beforehand, and in tests against recordings of the kernel's own choices.
//!
//! Every scheduler is a file that begins with its formula. They stand on two folds over the real
//! servers or on a table of buckets:
//!
//! | | |
//! | --- | --- |
//! | [`heaviest`] | [`rr`] [`wrr`] [`fo`] [`ovf`] |
//! | [`least`] | [`lc`] [`wlc`] [`sed`] [`nq`], and with a memory of addresses [`lblc`] [`lblcr`] |
//! | [`table`] | [`sh`] [`dh`] [`mh`] |
//! | random | [`twos`] |
//!
//! The order of real servers is the kernel's: **the newest first**; editing one does not move it,
//! one that was deleted and comes back is new. The first in that order wins ties. Weight 0
//! (quiesced) and overloaded real servers are not chosen.
//!
//! # What the controller does at an edit
//!
//! | | add, delete | edit (`-e`) | another scheduler (`-E -s`) |
//! | --- | --- | --- | --- |
//! | rr | [`rr::reseat`] | – | [`rr::START`] |
//! | wrr | [`wrr::reseat`] | [`wrr::reseat`] | [`wrr::start`] |
//! | sh, mh | build | build | build |
//! | dh | build | – | build |
//! | lblc, lblcr | – | – | forget all addresses |
//!
//! One edit at a time: a service that is built one real server after the other has another wrr
//! cursor than one that is taken over whole. `-E` with the same scheduler changes nothing here.

#![forbid(unsafe_code)]

mod hint;
mod kind;
mod pool;
mod select;
mod threshold;

pub mod dh;
pub mod fo;
pub mod heaviest;
pub mod lblc;
pub mod lblcr;
pub mod lc;
pub mod least;
pub mod locality;
pub mod mh;
pub mod nq;
pub mod ovf;
pub mod rr;
pub mod sed;
pub mod sh;
pub mod table;
pub mod twos;
pub mod wlc;
pub mod wrr;

#[cfg(test)]
mod testing;

pub use self::{
    hint::Hint,
    kind::{Flags, Kind, UnknownScheduler},
    locality::{Locality, Remembered},
    pool::{Candidate, Pool, Probe, Scan},
    select::{Opaque, Transparent},
    threshold::Thresholds,
};

/// How often a choice is made anew because another CPU moved the cursor meanwhile; then it stands,
/// and two connections have taken the same step.
const TRIES: u32 = 4;

/// Chooses a real server for a new connection: its position. `None`: none is available.
///
/// `rounds` are wrr's, from [`wrr::params`]; others do not look at them.
#[inline(always)]
pub fn choose<P: Locality>(
    kind: Kind,
    flags: Flags,
    hint: Hint,
    rounds: wrr::Params,
    pool: &P,
) -> Option<u32> {
    let chosen = match kind {
        Kind::Rr => select::number(rr::choose(pool)),
        Kind::Wrr => select::number(wrr::choose(rounds, pool)),
        Kind::Lc => select::number(lc::choose(pool)),
        Kind::Wlc => select::number(wlc::choose(pool)),
        Kind::Lblc => select::number(lblc::choose(pool)),
        Kind::Lblcr => select::number(lblcr::choose(pool)),
        Kind::Dh => select::number(dh::choose(hint, pool)),
        Kind::Sh => select::number(sh::choose(flags, hint, pool)),
        Kind::Sed => select::number(sed::choose(pool)),
        Kind::Nq => select::number(nq::choose(pool)),
        Kind::Fo => select::number(fo::choose(pool)),
        Kind::Ovf => select::number(ovf::choose(pool)),
        Kind::Mh => select::number(mh::choose(flags, hint, pool)),
        Kind::Twos => select::number(twos::choose(pool)),
    };
    select::position(chosen)
}
