//! The director's controller.

pub mod netlink;
