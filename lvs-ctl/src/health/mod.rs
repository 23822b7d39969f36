//! Checks of real servers: who makes them, how they get there, what becomes of the results.
//!
//! | | |
//! | --- | --- |
//! | [`ways`] | the seam to whoever knows how a packet reaches a real server |
//! | [`probe`] | what is done there, a file for each kind |
//! | `attend` | one check, made again and again |
//! | `patient` | one real server: what follows from all its checks |
//! | [`early`] | checks that connections ask for |
//! | [`returned`] | checks of hosts that are back |
//! | `supervisor` | all of them, as the director's rules have it |
//! | [`hooks`] | the operator's programs that are told what changed |
//! | `program` | how programs are run |
//!
//! The pure parts, and the words of the rules, are in [`crate::model::health`]; what packets see of
//! it is the director's affair.

#![forbid(unsafe_code)]

mod attend;
pub mod early;
pub mod hooks;
mod patient;
pub mod probe;
mod program;
pub mod returned;
mod scatter;
mod supervisor;
pub mod ways;

pub use self::supervisor::{Board, run};
