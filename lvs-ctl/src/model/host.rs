//! What rules are judged by beside the rules themselves: facts about the director's host.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An interface, as far as a synchronisation daemon needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkFacts {
    /// MTU, bytes.
    pub mtu: u32,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is a loopback.
    pub loopback: bool,
}

/// Facts about the host (`__dev_get_by_name`, `inet_addr_type`, `ipv6_chk_addr`).
pub trait Host: Send {
    /// The interface of that name.
    fn link(&self, name: &str) -> Option<LinkFacts>;
    /// Whether `address` is the broadcast address of an attached network.
    fn is_broadcast(&self, address: Ipv4Addr) -> bool;
    /// Whether `address` is the host's own.
    fn is_own(&self, address: Ipv6Addr) -> bool;
}

/// A host with a loopback and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoopbackOnly;

impl Host for LoopbackOnly {
    fn link(&self, name: &str) -> Option<LinkFacts> {
        (name == "lo").then_some(LinkFacts { mtu: 65536, up: true, loopback: true })
    }

    fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        address == Ipv4Addr::new(127, 255, 255, 255)
    }

    fn is_own(&self, address: Ipv6Addr) -> bool {
        address.is_loopback()
    }
}
