//! Who is where: addresses of RFC 5737, and a director with services of both methods.

use std::net::{Ipv4Addr, SocketAddrV4};

use lvs_common::{
    conntable::{self, word},
    map::{Dest, Family, Method, NextHop, ServiceKey},
    net::{Addr, Be16, Be32, Mac, protocol},
    sched::Kind,
};
use lvs_ebpf::{host::MemTables, tables::Route};

use crate::director::Director;

/// A client.
pub(crate) const CLIENT: SocketAddrV4 = end(192, 0, 2, 10, 40_000);
/// The virtual service.
pub(crate) const VIP: SocketAddrV4 = end(198, 51, 100, 1, 80);
/// The real servers, newest first; NAT changes the port as well.
pub(crate) const RIPS: [SocketAddrV4; 2] = [end(203, 0, 113, 11, 8080), end(203, 0, 113, 12, 8080)];

/// The director, toward the real servers.
pub(crate) const DIP: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

pub(crate) const CLIENT_MAC: Mac = Mac::new([2, 0, 0, 0, 0, 0x10]);
pub(crate) const DIRECTOR_MAC: Mac = Mac::new([2, 0, 0, 0, 0, 0x01]);
/// Of the director's interface toward the real servers.
pub(crate) const INSIDE_MAC: Mac = Mac::new([2, 0, 0, 0, 0, 0x02]);
pub(crate) const RIP_MACS: [Mac; 2] =
    [Mac::new([2, 0, 0, 0, 1, 0x11]), Mac::new([2, 0, 0, 0, 1, 0x12])];

/// The interface that frames come in by.
pub(crate) const INGRESS: u32 = 3;
/// The interface toward the real servers.
pub(crate) const INSIDE: u32 = 4;

pub(crate) const fn end(a: u8, b: u8, c: u8, d: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port)
}

/// Buckets of eight connections each: few under miri, since all of them are looked at after each frame.
const BUCKETS: u32 = if cfg!(miri) { 4 } else { 64 };

/// A director with TCP and UDP at the VIP, round robin over the real servers.
pub(crate) fn director(method: Method) -> Director {
    director_of(method, BUCKETS)
}

pub(crate) fn director_of(method: Method, buckets: u32) -> Director {
    let mut tables = MemTables::new(buckets);
    tables.maps.now = 1_000_000;
    let dests = RIPS.iter().zip(RIP_MACS).map(|(rip, mac)| {
        let next_hop = tables.add_next_hop(NextHop {
            interface: INSIDE,
            mtu: 1500,
            destination: mac,
            source: INSIDE_MAC,
            from: DIP.into(),
            ..NextHop::default()
        });
        let port = if method == Method::MASQ { rip.port() } else { VIP.port() };
        (dest(*rip.ip(), port, method, next_hop), 1)
    });
    let dests = dests.collect::<Vec<_>>();
    for protocol in [protocol::TCP, protocol::UDP] {
        tables.add_service(key(VIP, protocol), Kind::Rr, &dests);
    }
    tables.maps.default_route = Route::Hop(NextHop {
        interface: INGRESS,
        mtu: 1500,
        destination: CLIENT_MAC,
        source: DIRECTOR_MAC,
        ..NextHop::default()
    });
    Director::new(tables)
}

pub(crate) fn dest(rip: Ipv4Addr, port: u16, method: Method, next_hop: u32) -> Dest {
    Dest {
        address: rip.into(),
        next_hop,
        flags: Dest::USED | Dest::AVAILABLE,
        upper: 0,
        lower: 0,
        service: key(VIP, protocol::TCP),
        port: Be16::new(port),
        method,
        tunnel: 0,
        weight: 1,
        tunnel_port: Be16::new(0),
        position: 0,
    }
}

pub(crate) fn key(vip: SocketAddrV4, protocol: u8) -> ServiceKey {
    ServiceKey {
        address: Addr::v4(be32(*vip.ip())),
        port: Be16::new(vip.port()),
        protocol,
        family: Family::V4,
    }
}

/// The connection of the client and the TCP service.
pub(crate) fn connection_key() -> conntable::Key {
    let (client, vip) = (word_of(CLIENT), word_of(VIP));
    conntable::Key { client: client | word::TCP << 48, virtual_end: vip }
}

/// The word of an end, as connections hold it.
pub(crate) fn word_of(end: SocketAddrV4) -> u64 {
    word::end(be32(*end.ip()), Be16::new(end.port()))
}

pub(crate) fn be32(address: Ipv4Addr) -> Be32 {
    Be32::from_bytes(address.octets())
}
