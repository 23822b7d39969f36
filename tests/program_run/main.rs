//! The loaded program, frame by frame: against a director written plainly for the purpose, and from several threads
//! at once. Needs root.

#![forbid(unsafe_code)]

mod concurrency;
mod locality;
mod marks;
mod random;
mod reference;
#[path = "../../lvs-common/tests/sched_properties/reference.rs"]
mod schedulers;
mod twos;
