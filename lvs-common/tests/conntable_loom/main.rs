//! The connection table under every interleaving and every reordering that C11 allows.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p lvs-common --test conntable_loom -- --nocapture
//! ```
//!
//! Each model says how many executions were explored. A model that passes proves nothing by itself:
//! `mutants` runs them over tables that break one rule of the protocol each, and they must fail.
//!
//! Two buckets; of each, seven ways hold established connections of others, so that all happens
//! in the two that are left. Every racer is a spawned thread: loom explores the main one's accesses
//! after a spawn only in part.
#![cfg(loom)]
#![expect(clippy::print_stdout, reason = "prints how much was explored")]

mod lens;
mod models;
mod mutants;
mod scene;
