//! Where packets come from, and what has to become of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{
    director::Rules,
    feeder::{Action, Feed, Sent},
    frame::Segment,
    world::{CLIENT_SIDE, ROUTER, SERVER_SIDE},
};

/// The first client of established connections.
pub const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1024);
pub const CLIENT6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1)), 1024);
/// The first client of new ones.
pub const NEW_CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(172, 16, 0, 1)), 1024);
pub const NEW_CLIENT6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 1)), 1024);
/// Packets, and what has to become of the first flow's.
#[derive(Clone, Copy)]
pub struct Way {
    /// The packets.
    pub feed: Feed,
    /// What the program does with each.
    pub action: Action,
    /// What leaves of the first.
    pub sent: Sent,
}

/// The first client of a service's established connections.
pub fn client(rules: &Rules) -> SocketAddr {
    if rules.service.is_ipv6() { CLIENT6 } else { CLIENT }
}

/// A packet of a client to the service.
pub fn request(rules: &Rules, client: SocketAddr, flags: u8) -> Segment {
    Segment {
        from: ROUTER,
        to: CLIENT_SIDE,
        source: client,
        destination: rules.service,
        ttl: 64,
        flags,
    }
}

/// As it leaves to the real server that comes first: the newest.
pub fn to_dr(rules: &Rules, segment: Segment) -> Segment {
    let to = rules.mac(rules.newest());
    Segment { from: CLIENT_SIDE, to, ttl: segment.ttl - 1, ..segment }
}

/// The same of NAT.
pub fn to_nat(rules: &Rules, segment: Segment) -> Segment {
    let (to, destination) = (rules.mac(rules.newest()), rules.real_server(rules.newest()));
    Segment { from: SERVER_SIDE, to, destination, ttl: segment.ttl - 1, ..segment }
}
