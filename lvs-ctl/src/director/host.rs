//! Facts about this host, asked from the kernel when they are needed.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, UdpSocket},
};

use tokio::runtime::Builder;

use crate::{
    model::{Host, LinkFacts},
    netlink::link,
};

/// The host, or the network namespace, that the controller runs in.
#[derive(Debug)]
pub struct ThisHost {
    probe: Option<UdpSocket>,
}

impl ThisHost {
    /// This host.
    #[must_use]
    pub fn new() -> Self {
        Self { probe: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok() }
    }
}

impl Default for ThisHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Host for ThisHost {
    fn link(&self, name: &str) -> Option<LinkFacts> {
        // Asked about once in a director's life, on a thread that has nothing else to wait for.
        let runtime = Builder::new_current_thread().enable_io().build().ok()?;
        let link = runtime.block_on(link::by_name(name)).ok()??;
        Some(LinkFacts { mtu: link.mtu, up: link.up, loopback: link.loopback })
    }

    /// A socket that may not broadcast cannot connect to a broadcast address; nothing is sent.
    fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        let connected = self.probe.as_ref().map(|probe| probe.connect((address, 9)));
        matches!(connected, Some(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied)
    }

    fn is_own(&self, address: Ipv6Addr) -> bool {
        let listed = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
        let address = format!("{:032x}", address.to_bits());
        listed.lines().any(|line| line.starts_with(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_a_loopback_with_a_broadcast_address() {
        let host = ThisHost::new();
        assert!(host.link("lo").unwrap().loopback);
        assert_eq!(host.link("nosuch0"), None);
        assert_eq!(host.link("../lo"), None);
        assert!(host.is_broadcast(Ipv4Addr::new(127, 255, 255, 255)));
        assert!(!host.is_broadcast(Ipv4Addr::LOCALHOST));
        assert!(!host.is_own(Ipv6Addr::new(0xfe80, 0, 0, 0, 0xdead, 0, 0, 1)));
    }
}
