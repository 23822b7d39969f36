//! Builds, checks, shows and measures the project.
fn main() {}
