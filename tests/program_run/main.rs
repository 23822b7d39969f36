//! The loaded program, frame by frame: against a director written plainly for the purpose, and from several threads
//! at once. Needs root.

#![forbid(unsafe_code)]

mod concurrency;
mod flood;
mod fragments;
mod locality;
mod many;
mod marks;
mod paths;
mod persistence;
mod random;
mod reference;
mod scale;
#[path = "../../lvs-common/tests/sched_properties/reference.rs"]
mod schedulers;
mod sender;
mod threads;
mod twos;
mod wild;
