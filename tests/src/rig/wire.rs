//! Frames sent for real, by the generic hook: longer ones than a driver hands to a program.

use std::{
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, sendto, socket,
    },
};

use super::{Rig, Side, packet::Packet, place};

/// Frames sent before they are waited for: the kernel queues a thousand.
const BATCH: u64 = 200;

impl Rig<'_> {
    /// Sends a client's packet so many times over the wire, and waits until all have been counted.
    ///
    /// # Errors
    /// They get lost.
    pub fn flood(&self, packet: &Packet, count: u64) -> Result<()> {
        let frame = self.arriving(Side::Clients, packet);
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )
        .context("cannot have a packet socket")?;
        let end = router_interface()?;
        let mut left = count;
        while left > 0 {
            let before = self.in_packets();
            let batch = left.min(BATCH);
            for _ in 0..batch {
                sendto(socket.as_raw_fd(), &frame, &end, MsgFlags::empty())
                    .with_context(|| format!("cannot send {} bytes", frame.len()))?;
            }
            let deadline = Instant::now() + Duration::from_secs(10);
            while self.in_packets() < before + batch {
                ensure!(Instant::now() < deadline, "packets got lost: {:?}", self.reasons());
                std::thread::yield_now();
            }
            left -= batch;
        }
        Ok(())
    }

    /// Clients' packets, of all services.
    fn in_packets(&self) -> u64 {
        let services = self.counted().services.into_iter();
        services.filter_map(|service| service.stats).map(|stats| stats.in_packets).sum()
    }
}

/// The router's end of the link, to send from.
fn router_interface() -> Result<LinkAddr> {
    let mut known = getifaddrs()?.filter(|known| known.interface_name == place::ROUTER_INTERFACE);
    known
        .find_map(|known| known.address?.as_link_addr().copied())
        .context("the network has no router")
}
