//! Schedulers that are wrong in one point each: the recordings must tell.

use std::ops::ControlFlow;

use lvs_common::{
    hash,
    sched::{Candidate, Flags, Hint, Kind, Opaque, Pool, Scan, least::overhead, wrr},
};

use crate::{as_shipped, recording, replay::replay, service::ServicePool};

/// A scan that gives ties to the last, for the want of a `<` where a `<=` stands.
struct LessOrEqual {
    load: fn(Candidate) -> u64,
    weight: fn(Candidate) -> u64,
    best: Option<(u32, Candidate)>,
}

impl Scan for LessOrEqual {
    fn visit<O: Opaque>(&mut self, position: u32, of: Candidate) -> ControlFlow<()> {
        let Self { load, weight, best } = self;
        let is_available = of.weight > 0 && of.overloaded == 0;
        let is_less =
            best.is_none_or(|(_, other)| load(of) * weight(other) <= load(other) * weight(of));
        if is_available && is_less {
            *best = Some((position, of));
        }
        ControlFlow::Continue(())
    }

    fn chosen(&self) -> Option<u32> {
        self.best.map(|best| best.0)
    }
}

fn scan_with(
    pool: &ServicePool<'_>,
    load: fn(Candidate) -> u64,
    weight: fn(Candidate) -> u64,
) -> Option<u32> {
    pool.scan(LessOrEqual { load, weight, best: None }).chosen()
}

fn ties_to_the_last(
    kind: Kind,
    flags: Flags,
    hint: Hint,
    rounds: wrr::Params,
    pool: &ServicePool<'_>,
) -> Option<u32> {
    let weight = |of: Candidate| u64::from(of.weight);
    let delay = |of: Candidate| u64::from(of.active) + 1;
    match kind {
        Kind::Wlc => scan_with(pool, overhead, weight),
        Kind::Lc => scan_with(pool, overhead, |_| 1),
        Kind::Sed => scan_with(pool, delay, weight),
        Kind::Fo => scan_with(pool, |_| 1, weight),
        _ => as_shipped(kind, flags, hint, rounds, pool),
    }
}

fn nq_never_looks_for_idle(
    kind: Kind,
    flags: Flags,
    hint: Hint,
    rounds: wrr::Params,
    pool: &ServicePool<'_>,
) -> Option<u32> {
    as_shipped(if kind == Kind::Nq { Kind::Sed } else { kind }, flags, hint, rounds, pool)
}

/// The fallback of sh begins at the next bucket, as one would think.
fn sh_falls_back_to_the_next(
    kind: Kind,
    flags: Flags,
    hint: Hint,
    rounds: wrr::Params,
    pool: &ServicePool<'_>,
) -> Option<u32> {
    if kind != Kind::Sh || !flags.contains(Flags::FALLBACK) || flags.contains(Flags::PORT) {
        return as_shipped(kind, flags, hint, rounds, pool);
    }
    let first = hash::hash_32(hint.client, 8);
    (0..256).find_map(|step| {
        let position = pool.bucket((first + step) % 256)?;
        let of = pool.candidate(position)?;
        (of.weight > 0 && of.overloaded == 0).then_some(position)
    })
}

fn rr_minds_weights(
    kind: Kind,
    flags: Flags,
    hint: Hint,
    rounds: wrr::Params,
    pool: &ServicePool<'_>,
) -> Option<u32> {
    as_shipped(if kind == Kind::Rr { Kind::Wlc } else { kind }, flags, hint, rounds, pool)
}

/// Fails when every recording of the scheduler goes through.
fn check(choose: crate::service::Choose, scheduler: &str) {
    let of_it = |case: &&recording::Case| {
        case.services.iter().any(|service| service.settings.scheduler == scheduler)
    };
    let cases = recording::all();
    let cases: Vec<_> = cases.iter().filter(of_it).collect();
    let caught = cases.iter().filter(|case| replay(case, choose).is_err()).count();
    assert!(caught > 0, "none of {} recordings of {scheduler} tells", cases.len());
}

#[test]
fn a_changed_tie_break_is_caught() {
    for scheduler in ["wlc", "lc", "sed", "fo"] {
        check(ties_to_the_last, scheduler);
    }
}

#[test]
fn a_forgotten_rule_is_caught() {
    check(nq_never_looks_for_idle, "nq");
    check(sh_falls_back_to_the_next, "sh");
    check(rr_minds_weights, "rr");
}
