//! The rules that frames meet: for each family and protocol a service for every method, a port each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs_common::{
    map::{Dest, Family, Method, NextHop, Service, ServiceKey, tunnel},
    net::{Addr, Be16, Mac, protocol},
    sched::Kind,
    wire::{ETHERTYPE_VLAN, Tag, Tags},
};
use lvs_ebpf::{host::MemTables, tables::Route};

/// How packets reach a real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) tunnel: u8,
    /// To an address of the other family.
    is_mixed: bool,
}

const fn tun(name: &'static str, tunnel: u8) -> Way {
    Way { name, method: Method::TUNNEL, tunnel, is_mixed: false }
}

const fn plain(name: &'static str, method: Method) -> Way {
    Way { name, method, tunnel: 0, is_mixed: false }
}

/// All of them; a way's number is that of its real server, and of its service's port.
pub(crate) const WAYS: [Way; 9] = [
    plain("dr", Method::DIRECT_ROUTE),
    plain("nat", Method::MASQ),
    tun("ipip", tunnel::IPIP),
    tun("gue", tunnel::GUE),
    tun("gre", tunnel::GRE),
    tun("summed gue", tunnel::GUE | tunnel::CHECKSUM),
    tun("summed gre", tunnel::GRE | tunnel::CHECKSUM),
    Way { is_mixed: true, ..tun("mixed ipip", tunnel::IPIP) },
    Way { is_mixed: true, ..tun("mixed summed gue", tunnel::GUE | tunnel::CHECKSUM) },
];
pub(crate) const NAT: usize = 1;
/// Whose frames leave with a tag.
const TAGGED: usize = 4;

pub(crate) const FIRST_PORT: u16 = 80;
/// Of a service without a real server; with persistence; of NAT a packet at a time; at the director itself.
pub(crate) const NOBODYS: u16 = 90;
pub(crate) const PERSISTENT: u16 = 91;
pub(crate) const ONE_PACKET: u16 = 92;
pub(crate) const LOCAL: u16 = 93;
/// Of the real server behind NAT.
pub(crate) const BEHIND: u16 = 8080;
pub(crate) const GUE_PORT: u16 = 5555;

const CLIENTS: u32 = 2;
const SERVERS: u32 = 3;
pub(crate) const MTU: u32 = 1500;
/// Where frames come in.
pub(crate) const INGRESS: u32 = CLIENTS;
pub(crate) const DIRECTOR_MAC: Mac = Mac::new([2, 0, 0, 0, 0, 1]);
pub(crate) const CLIENT_MAC: Mac = Mac::new([2, 0, 0, 0, 0, 9]);

/// Buckets of eight connections each: few, so that connections meet.
const BUCKETS: u32 = 3;

/// The address that services have.
pub(crate) fn vip(is_v4: bool) -> IpAddr {
    pick(is_v4, Ipv4Addr::new(198, 51, 100, 1), 0x100, 1)
}

/// The director's own, toward real servers.
pub(crate) fn dip(is_v4: bool) -> IpAddr {
    pick(is_v4, Ipv4Addr::new(203, 0, 113, 1), 0x200, 1)
}

/// A client's.
pub(crate) fn client(is_v4: bool, number: u8) -> IpAddr {
    pick(is_v4, Ipv4Addr::new(192, 0, 2, number), 0xc, number.into())
}

/// The address of a way's real server, for services of a family.
pub(crate) fn server(is_v4: bool, way: usize) -> IpAddr {
    let last = 11 + u8::try_from(way).expect("a few");
    let is_v4 = is_v4 != WAYS[way].is_mixed;
    pick(is_v4, Ipv4Addr::new(203, 0, 113, last), 0x200, last.into())
}

/// The link-layer address of a way's real server.
pub(crate) fn mac(is_v4: bool, way: usize) -> Mac {
    let family = if is_v4 { 4 } else { 6 };
    Mac::new([2, 1, 0, 0, family, 11 + u8::try_from(way).expect("a few")])
}

/// The service's family and the way of the real server that a frame goes to.
pub(crate) fn way_to(mac: [u8; 6]) -> Option<(bool, usize)> {
    let [2, 1, 0, 0, family, last] = mac else { return None };
    let way = usize::from(last.checked_sub(11)?);
    (way < WAYS.len()).then_some((family == 4, way))
}

/// The way of a service, by its port.
pub(crate) fn way_of(port: u16) -> Option<usize> {
    match port {
        PERSISTENT => Some(0),
        ONE_PACKET => Some(NAT),
        _ => Some(usize::from(port.checked_sub(FIRST_PORT)?)).filter(|way| *way < WAYS.len()),
    }
}

/// A director with all of them.
pub(crate) fn director() -> MemTables {
    let mut tables = MemTables::new(BUCKETS);
    tables.maps.now = 1_000_000;
    for is_v4 in [true, false] {
        let hops: Vec<_> =
            (0..WAYS.len()).map(|way| tables.add_next_hop(hop(is_v4, way))).collect();
        let local = NextHop { flags: NextHop::LOCAL, ..NextHop::default() };
        let local = tables.add_next_hop(local);
        for protocol in [protocol::TCP, protocol::UDP, protocol::SCTP] {
            let key = |port| key(is_v4, port, protocol);
            for (way, hop) in hops.iter().enumerate() {
                let port = FIRST_PORT + u16::try_from(way).expect("a few");
                let dest = dest(is_v4, way, port, *hop);
                tables.add_service(key(port), Kind::Rr, &[(dest, 1)]);
            }
            tables.add_service(key(NOBODYS), Kind::Wlc, &[]);
            let persistent = dest(is_v4, 0, PERSISTENT, hops[0]);
            tables.add_service(key(PERSISTENT), Kind::Sh, &[(persistent, 1)]);
            let service = tables.maps.services.get_mut(&key(PERSISTENT)).expect("just added");
            service.flags = Service::PERSISTENT;
            service.persistence_s = 60;
            service.netmask = if is_v4 { u32::MAX } else { 128 };
            if protocol == protocol::UDP {
                let dest = dest(is_v4, NAT, ONE_PACKET, hops[NAT]);
                tables.add_service(key(ONE_PACKET), Kind::Rr, &[(dest, 1)]);
                let service = tables.maps.services.get_mut(&key(ONE_PACKET));
                service.expect("just added").flags = Service::ONE_PACKET;
            }
            let own = Dest { port: Be16::new(LOCAL), ..dest(is_v4, NAT, LOCAL, local) };
            let own = Dest { address: dip(is_v4).into(), ..own };
            tables.add_service(key(LOCAL), Kind::Rr, &[(own, 1)]);
        }
    }
    tables.maps.default_route = Route::Hop(NextHop {
        interface: CLIENTS,
        mtu: MTU,
        destination: CLIENT_MAC,
        source: DIRECTOR_MAC,
        ..NextHop::default()
    });
    tables
}

fn hop(is_v4: bool, way: usize) -> NextHop {
    let is_reflected = way == 0;
    let tag = Tag { ethertype: ETHERTYPE_VLAN, control: Be16::new(7) };
    NextHop {
        interface: if is_reflected { INGRESS } else { SERVERS },
        mtu: MTU,
        destination: mac(is_v4, way),
        source: DIRECTOR_MAC,
        flags: match way {
            0 => NextHop::REFLECTS,
            TAGGED => NextHop::TAGGED,
            _ => 0,
        },
        from: dip(server(is_v4, way).is_ipv4()).into(),
        tags: if way == TAGGED { Tags([tag, Tag::NONE]) } else { Tags::NONE },
    }
}

fn dest(is_v4: bool, way: usize, port: u16, next_hop: u32) -> Dest {
    let Way { method, tunnel, .. } = WAYS[way];
    Dest {
        address: server(is_v4, way).into(),
        next_hop,
        flags: Dest::USED | Dest::AVAILABLE,
        upper: 0,
        lower: 0,
        service: key(is_v4, port, protocol::TCP),
        port: Be16::new(if method == Method::MASQ { BEHIND } else { port }),
        method,
        tunnel,
        weight: 1,
        tunnel_port: Be16::new(GUE_PORT),
        position: 0,
    }
}

fn key(is_v4: bool, port: u16, protocol: u8) -> ServiceKey {
    ServiceKey {
        address: Addr::from(vip(is_v4)),
        port: Be16::new(port),
        protocol,
        family: if is_v4 { Family::V4 } else { Family::V6 },
    }
}

fn pick(is_v4: bool, v4: Ipv4Addr, net: u16, last: u16) -> IpAddr {
    if is_v4 { v4.into() } else { Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, last).into() }
}
