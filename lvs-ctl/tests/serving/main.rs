//! The controller as others meet it: HTTP over the socket and over TLS, its metrics, its log.

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod document;
mod http;
mod metrics;
mod problems;
mod rules;
mod socket;
mod tls;
