//! The packet's way, packet by packet, over maps in host memory.
//!
//! `cargo test -p lvs-ebpf --features host`

mod complaint;
mod corpus;
mod cut;
mod director;
mod frame;
mod layout;
mod local;

mod dr;
mod fragments;
mod host_mac;
mod icmp;
mod nat;
mod opening;
mod parsing;
mod path_mtu;
mod persist;
mod ports;
mod probe;
mod reasons;
mod reuse;
mod sctp;
mod seeds;
mod states;
mod stories;
mod tables;
mod telling;
mod tun;
mod v6;
mod vlan;
mod wild;
