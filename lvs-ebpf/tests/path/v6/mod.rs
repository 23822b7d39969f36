//! The same way for IPv6.

mod frame;
mod layout;

mod ends;
mod extensions;
mod forwarding;
mod parsing;
mod states;
