//! Every choice that the kernel was recorded to make, made again.
//!
//! A director written plainly for this test plays the recorded events; real servers are chosen by
//! the schedulers under test. Compared after every event: the real server reached, and weight,
//! active and inactive connections of all of them, in order.

mod director;
mod mutants;
mod recording;
mod replay;
mod service;
mod tcp;

use lvs_common::sched::{self, Flags, Hint, Kind, wrr};

use self::service::ServicePool;

#[test]
fn every_recording_is_matched() {
    let cases = recording::all();
    let differences: Vec<_> =
        cases.iter().filter_map(|case| replay::replay(case, as_shipped).err()).collect();
    assert!(
        differences.is_empty(),
        "{}\n{} passed, {} failed",
        differences.join("\n"),
        cases.len() - differences.len(),
        differences.len()
    );
    assert!(cases.len() >= 317, "only {} recordings are there", cases.len());
}

/// The schedulers as they are.
fn as_shipped(
    kind: Kind,
    flags: Flags,
    hint: Hint,
    rounds: wrr::Params,
    pool: &ServicePool<'_>,
) -> Option<u32> {
    sched::choose(kind, flags, hint, rounds, pool)
}
