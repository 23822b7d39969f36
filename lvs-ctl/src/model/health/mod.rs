//! Health of real servers: what is checked, through which way, and what follows from it.
//!
//! | | |
//! | --- | --- |
//! | what is checked | [`CheckSpec`] as it is written, [`Check`] as it is meant |
//! | through what | [`Errand`], [`Target`] |
//! | what was found | [`Outcome`], [`Failure`], [`Cause`] |
//! | up or down | [`Streak`] of one check, [`Recovery`] of one real server |
//! | what follows | [`Policy`], [`Admin`], [`Gate`], [`effective`] |

mod check;
mod effective;
mod hook;
mod outcome;
mod path;
mod policy;
mod recovery;
mod report;
mod shorthand;
mod span;
mod spec;
mod streak;
mod valid;

pub use self::{
    check::{Check, Digest, Dns, Exchange, Http, Kind, Silence, Timing, Tls, WrongCheck},
    effective::{Effective, Gate, Standing, Verdict, effective},
    hook::{ChangeHook, Occasion},
    outcome::{CertificateFault, Failure, Good, Outcome, Stage, Warning},
    path::{Cause, Errand, NoWay, Target, Transport, Via},
    policy::{Admin, AllDown, Damping, DestHealth, OnDown, Policy, ServiceHealth},
    recovery::Recovery,
    report::{CheckReport, DestReport, LastResult},
    span::Span,
    spec::{CheckSpec, CheckType},
    streak::{Health, Streak},
};

/// The pattern of a check that was judged, compiled.
///
/// # Errors
/// It was not judged.
pub fn pattern(pattern: &str) -> Result<regex::bytes::Regex, regex::Error> {
    valid::compile(pattern)
}
