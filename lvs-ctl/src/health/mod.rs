//! Checks of real servers: who runs them, how they reach them, what becomes of the results.

#![forbid(unsafe_code)]

pub mod ways;
