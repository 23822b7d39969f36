//! The director's controller.
