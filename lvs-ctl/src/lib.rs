//! The director's controller.
//!
//! ```text
//! cli        two dialects, one meaning: words in, requests out, text back
//! api        the same requests as HTTP and JSON over a Unix socket
//! director   the one owner of the rules: judges, commits, counts, writes down
//! dataplane  what the director may ask of whatever forwards packets
//! model      rules and changes as data, and what IPVS refuses
//! ```
//! A module uses those below it, never those above.

pub mod api;
pub mod cli;
pub mod dataplane;
pub mod director;
pub mod model;
