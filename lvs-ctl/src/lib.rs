//! The director's controller.

pub mod api;
pub mod cli;
pub mod dataplane;
pub mod director;
pub mod model;
