//! What both sides of the director agree on.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod hash;
pub mod sched;
