//! The resolver and the facts of interfaces against the kernel, in network namespaces.
//!
//! Needs root, iproute2 and ethtool, and a kernel with veth, bridge, macvlan, vxlan and tun:
//! `cargo test -p lvs-ctl --features root-tests --test netlink`.

mod facts;
mod lab;
mod neighbours;
mod resolver;
mod seen;
