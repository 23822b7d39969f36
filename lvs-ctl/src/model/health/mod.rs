//! Health of real servers: what is checked, through which way, and what follows from it.

mod path;

pub use self::path::{Cause, Errand, NoWay, Target, Transport, Via};
