//! What both sides of the director agree on, and what can be decided without a packet or a map.
//!
//! | module | what | used by |
//! | --- | --- | --- |
//! | [`decap`] | the real server's end of tunnels | its program, its command |
//! | [`hash`] | the hashes of schedulers | schedulers |
//! | [`net`] | byte order, addresses, checksums | everyone |
//! | [`wire`] | headers as they lie in a frame | the packet's way |
//! | [`map`] | map values and keys: the ABI between program and controller | both |
//! | [`conntable`] | the flat connection table | program, sweeper, listing |
//! | [`mark`] | which firewall mark a packet carries | program |
//! | [`tcp_state`] | connection states, transitions, timeouts | program, listing |
//! | [`sched`] | the schedulers | program; the controller builds their tables |
//! | [`sctp_state`] | states of SCTP | program |
//! | [`template`] | persistence: the keys of templates | program; the sweeper prolongs them |
//! | [`verdict`] | every way out of the path | program, statistics |
//!
//! `no_std`, no allocation, no panic: all of it also runs inside the kernel.
#![cfg_attr(not(any(test, feature = "host")), no_std)]

pub mod conntable;
pub mod decap;
pub mod hash;
pub mod map;
pub mod mark;
pub mod net;
pub mod pieces;
pub mod sched;
pub mod sctp_state;
pub mod tcp_state;
pub mod template;
pub mod verdict;
pub mod wire;

/// Version of everything in [`map`] and of the words in [`conntable`].
///
/// Raise it whenever a size, an offset, a unit or a meaning in there changes: a controller adopts
/// pinned maps only of its own version.
pub const ABI_VERSION: u32 = 3;
