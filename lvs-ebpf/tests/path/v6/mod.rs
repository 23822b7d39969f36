//! The same way for IPv6.

mod frame;
mod layout;

mod ends;
mod errors;
mod extensions;
mod forwarding;
mod fragments;
mod parsing;
mod states;
mod tunnels;
