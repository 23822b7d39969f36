//! The controller's API: HTTP and JSON over a Unix socket, and over TLS for those who have a token.

#![forbid(unsafe_code)]

mod caller;
pub mod client;
mod health;
mod problem;
mod reload;
mod revision;
mod routes;
pub mod server;
pub mod socket;
mod streams;
pub mod tls;
pub mod tokens;
pub mod types;
mod words;

/// Where the controller listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/lvs/lvs.sock";

/// The environment variable that tells otherwise.
pub const SOCKET_VARIABLE: &str = "LVS_SOCKET";
