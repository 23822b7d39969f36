//! Who is where: addresses of RFC 3849, and a director with services of both methods.

use std::net::{Ipv6Addr, SocketAddrV6};

use lvs_common::{
    conntable::Entry,
    map::{Dest, Family, Method, NextHop, ServiceKey},
    net::{Be16, protocol},
    sched::Kind,
};
use lvs_ebpf::{host::MemTables, tables::Route};

use super::frame::Frame;
use crate::{
    director::{Director, Outcome},
    layout::{self, CLIENT_MAC, DIRECTOR_MAC, INGRESS, INSIDE, INSIDE_MAC, RIP_MACS},
};

/// A client.
pub(super) const CLIENT: SocketAddrV6 = client(0x10, 40_000);
/// The virtual service.
pub(super) const VIP: SocketAddrV6 = end([0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1], 80);
/// The real servers, newest first; NAT changes the port as well.
pub(super) const RIPS: [SocketAddrV6; 2] = [
    end([0x2001, 0xdb8, 0x200, 0, 0xa, 0xb, 0xc, 0x11], 8080),
    end([0x2001, 0xdb8, 0x200, 0, 0xa, 0xb, 0xc, 0x12], 8080),
];

pub(super) const fn end(of: [u16; 8], port: u16) -> SocketAddrV6 {
    let address = Ipv6Addr::new(of[0], of[1], of[2], of[3], of[4], of[5], of[6], of[7]);
    SocketAddrV6::new(address, port, 0, 0)
}

/// A client of a network of clients.
pub(super) const fn client(host: u16, port: u16) -> SocketAddrV6 {
    end([0x2001, 0xdb8, 0xc, 0, 0, 0, 0, host], port)
}

/// A director with TCP and UDP at the VIP, round robin over the real servers.
pub(super) fn director(method: Method) -> Director {
    const BUCKETS: u32 = if cfg!(miri) { 4 } else { 64 };
    let mut tables = MemTables::new(BUCKETS);
    tables.maps.now = 1_000_000;
    let dests = RIPS.iter().zip(RIP_MACS).map(|(rip, mac)| {
        let next_hop = tables.add_next_hop(NextHop {
            interface: INSIDE,
            mtu: 1500,
            destination: mac,
            source: INSIDE_MAC,
            ..NextHop::default()
        });
        let port = if method == Method::MASQ { rip.port() } else { VIP.port() };
        let like = layout::dest(std::net::Ipv4Addr::UNSPECIFIED, port, method, next_hop);
        (Dest { address: (*rip.ip()).into(), ..like }, 1)
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

pub(super) fn key(vip: SocketAddrV6, protocol: u8) -> ServiceKey {
    ServiceKey {
        address: (*vip.ip()).into(),
        port: Be16::new(vip.port()),
        protocol,
        family: Family::V6,
    }
}

/// What a director does with frames of IPv6.
pub(super) trait Directs {
    fn directs(&mut self, frame: &Frame) -> Outcome;
    /// Connections, templates among them, from the oldest place on.
    fn entries(&self) -> Vec<Entry>;
    /// State and seconds left of the only connection there is.
    fn only_state(&self) -> (&'static str, u32);
}

impl Directs for Director {
    #[track_caller]
    fn directs(&mut self, frame: &Frame) -> Outcome {
        self.receives_bytes(&frame.bytes())
    }

    fn entries(&self) -> Vec<Entry> {
        assert_eq!(self.tables.conns().entries().count(), 0, "that is the table of IPv4");
        self.tables.conns6().entries().collect()
    }

    #[track_caller]
    fn only_state(&self) -> (&'static str, u32) {
        let [entry] = self.entries()[..] else { panic!("one connection") };
        let maps = &self.tables.maps;
        let left = entry.expires().wrapping_sub(maps.now) / maps.tunables.ticks_per_second;
        (entry.state().name(), left)
    }
}
