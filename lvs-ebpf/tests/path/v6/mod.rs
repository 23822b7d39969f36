//! The same way for IPv6.

mod frame;
mod layout;

mod ends;
mod extensions;
mod forwarding;
mod fragments;
mod parsing;
mod states;
