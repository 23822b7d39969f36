//! The director's controller.

pub mod model;
pub mod netlink;
