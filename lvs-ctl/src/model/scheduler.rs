//! The scheduler and persistence engine names that a service may ask for.

/// Every scheduler, by its IPVS name.
pub const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"];

/// Every persistence engine, by its IPVS name.
pub const ENGINES: [&str; 1] = ["sip"];

/// The scheduler of a service that names none.
pub const DEFAULT_SCHEDULER: &str = "wlc";
