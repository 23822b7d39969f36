//! What rules are judged by, beside the rules: this machine's interfaces and addresses.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
};

use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};
use tokio::runtime::{Builder, Runtime};

use super::link;
use crate::model::{Host, LinkFacts};

/// The machine, asked anew each time.
#[derive(Debug)]
pub struct NetlinkHost {
    runtime: Runtime,
}

impl NetlinkHost {
    /// Of the network namespace of the thread that asks.
    ///
    /// # Errors
    /// The system's, when it has no more event queues.
    pub fn start() -> io::Result<Self> {
        Ok(Self { runtime: Builder::new_current_thread().enable_all().build()? })
    }
}

impl Host for NetlinkHost {
    fn link(&self, name: &str) -> Option<LinkFacts> {
        let link = self.runtime.block_on(link::by_name(name)).ok()??;
        let loopback = getifaddrs().ok()?.any(|interface| {
            interface.interface_name == name
                && interface.flags.contains(InterfaceFlags::IFF_LOOPBACK)
        });
        Some(LinkFacts { mtu: link.mtu, up: link.up, loopback })
    }

    fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        let Ok(mut interfaces) = getifaddrs() else { return false };
        interfaces.any(|interface| {
            let broadcast =
                interface.broadcast.as_ref().and_then(|address| address.as_sockaddr_in());
            broadcast.is_some_and(|broadcast| broadcast.ip() == address)
        })
    }

    fn is_own(&self, address: Ipv6Addr) -> bool {
        let Ok(mut interfaces) = getifaddrs() else { return false };
        interfaces.any(|interface| {
            let own = interface.address.as_ref().and_then(|address| address.as_sockaddr_in6());
            own.is_some_and(|own| own.ip() == address)
        })
    }
}
