//! The command lines. Both dialects become the same requests.

#![forbid(unsafe_code)]

pub mod ipvsadm;
pub mod names;
