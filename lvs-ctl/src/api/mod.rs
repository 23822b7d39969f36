//! The controller's API: HTTP and JSON over a Unix socket.

#![forbid(unsafe_code)]

pub mod client;
pub mod reload;
pub mod server;
pub mod types;
mod words;

/// Where the controller listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/lvs/lvs.sock";

/// The environment variable that tells otherwise.
pub const SOCKET_VARIABLE: &str = "LVS_SOCKET";
