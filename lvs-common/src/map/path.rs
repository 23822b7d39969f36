//! What routers said of the way to a tunnel's end.

use bytemuck::{Pod, Zeroable};

use crate::net::Addr;

/// Paths that are known at a time; one more takes another's place.
pub const MAX_PATHS: usize = 1 << 12;

/// How long a router is believed, seconds (`ip_rt_mtu_expires`, `ip6_rt_mtu_expires`).
pub const PATH_S: u32 = 600;

/// The largest packet that reaches a real server, where that is less than the first link takes.
///
/// Writer: program. It outlives the controller, as the programs that look at it do.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PathMtu {
    /// The real server; no address: nothing is known here.
    pub server: Addr,
    /// IP header and what it carries, bytes.
    pub mtu: u32,
    /// When it is forgotten, ticks.
    pub expires: u32,
}

impl PathMtu {
    /// Where a real server's is, below [`MAX_PATHS`].
    #[inline(always)]
    #[must_use]
    pub const fn place(server: Addr) -> u32 {
        const SPREAD: u32 = 0x9e37_79b1;
        server.fold().get().wrapping_mul(SPREAD) >> (u32::BITS - MAX_PATHS.trailing_zeros())
    }

    /// Nothing is known: everything gets through.
    pub const UNKNOWN: u32 = u32::MAX;

    /// Of the way to this real server.
    #[inline(always)]
    #[must_use]
    pub fn to(&self, server: Addr, now: u32) -> u32 {
        let is_over = now.wrapping_sub(self.expires) < u32::MAX / 2;
        if self.server == server && !is_over { self.mtu } else { Self::UNKNOWN }
    }

    /// A router says that no more gets through; `ticks` is how long it is believed. What was known of a narrower
    /// path stays (`ip_rt_update_pmtu`).
    #[inline(always)]
    pub fn learn(&mut self, server: Addr, mtu: u32, now: u32, ticks: u32) {
        if mtu <= self.to(server, now) {
            *self = Self { server, mtu, expires: now.wrapping_add(ticks) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Be32;

    const NOW: u32 = u32::MAX - 10;

    fn server(last: u32) -> Addr {
        Addr::v4(Be32::new(0xcb00_7100 | last))
    }

    #[test]
    fn it_is_known_until_it_expires_and_of_one_server() {
        let mut path = PathMtu::default();
        assert_eq!(path.to(server(1), NOW), PathMtu::UNKNOWN);
        path.learn(server(1), 1400, NOW, 600);
        assert_eq!(path.to(server(1), NOW.wrapping_add(599)), 1400);
        assert_eq!(path.to(server(1), NOW.wrapping_add(600)), PathMtu::UNKNOWN);
        assert_eq!(path.to(server(2), NOW), PathMtu::UNKNOWN);
    }

    #[test]
    fn the_narrowest_counts_until_it_is_forgotten() {
        let mut path = PathMtu::default();
        path.learn(server(1), 1400, NOW, 600);
        path.learn(server(1), 1450, NOW, 600);
        assert_eq!(path.to(server(1), NOW), 1400);
        path.learn(server(1), 1300, NOW, 600);
        assert_eq!(path.to(server(1), NOW), 1300);
        path.learn(server(1), 1450, NOW.wrapping_add(600), 600);
        assert_eq!(path.to(server(1), NOW.wrapping_add(600)), 1450);
    }

    #[test]
    fn real_servers_of_a_network_have_places_of_their_own() {
        let mut places: Vec<_> = (0..256).map(|last| PathMtu::place(server(last))).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 256);
        assert!(places.iter().all(|place| (*place as usize) < MAX_PATHS));
    }
}
