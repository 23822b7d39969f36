//! The whole in network namespaces: real clients, real servers, real sockets. Needs root.

#![forbid(unsafe_code)]

mod lab;
