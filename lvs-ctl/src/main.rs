//! The director's controller and its command lines.
fn main() {}
