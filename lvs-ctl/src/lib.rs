//! The director's controller.

pub mod model;
