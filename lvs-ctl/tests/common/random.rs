//! Random rules that the model takes.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs_ctl::model::{
    Change, Checksum, Dest, DestAddr, Family, Method, Netmask, Persistence, Protocol, SCHEDULERS,
    SchedulerFlags, Service, ServiceId, Tunnel,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

fn unicast_v4() -> impl Strategy<Value = IpAddr> {
    (1..=126_u8, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d).into())
}

fn unicast_v6() -> impl Strategy<Value = IpAddr> {
    any::<[u16; 7]>()
        .prop_map(|[b, c, d, e, f, g, h]| Ipv6Addr::new(0x2001, b, c, d, e, f, g, h).into())
}

fn address(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::Ipv4 => unicast_v4().boxed(),
        Family::Ipv6 => unicast_v6().boxed(),
    }
}

fn family() -> impl Strategy<Value = Family> {
    select(&[Family::Ipv4, Family::Ipv6][..])
}

pub fn id() -> impl Strategy<Value = ServiceId> {
    let protocol = select(&[Protocol::Tcp, Protocol::Udp, Protocol::Sctp][..]);
    let by_address = (protocol, prop_oneof![unicast_v4(), unicast_v6()], 1..=u16::MAX)
        .prop_map(|(protocol, address, port)| ServiceId::Address { protocol, address, port });
    // ipvsadm prints larger marks as negative numbers, which it does not read.
    let by_mark = (1..=i32::MAX.cast_unsigned(), family())
        .prop_map(|(mark, family)| ServiceId::Mark { mark, family });
    prop_oneof![3 => by_address, 1 => by_mark]
}

fn netmask(family: Family) -> BoxedStrategy<Netmask> {
    match family {
        Family::Ipv4 => any::<u32>().prop_map(|bits| Netmask::Ipv4(bits.into())).boxed(),
        Family::Ipv6 => (1..=128_u8).prop_map(Netmask::Ipv6).boxed(),
    }
}

pub fn service(id: ServiceId) -> impl Strategy<Value = Service> {
    let persistence = (1..=2_678_400_u32, netmask(id.family()))
        .prop_map(|(timeout_s, netmask)| Persistence { timeout_s, netmask });
    let one_packet = match id {
        ServiceId::Address { protocol: Protocol::Tcp | Protocol::Sctp, .. } => Just(false).boxed(),
        _ => any::<bool>().boxed(),
    };
    (
        select(&SCHEDULERS[..]),
        any::<[bool; 3]>(),
        option::of(persistence),
        option::of(Just("sip".to_owned())),
        one_packet,
    )
        .prop_map(
            move |(scheduler, [flag_1, flag_2, flag_3], persistence, engine, one_packet)| {
                // The third flag of sh and mh has no name that ipvsadm prints.
                let flag_3 = flag_3 && !matches!(scheduler, "sh" | "mh");
                Service {
                    id,
                    scheduler: scheduler.into(),
                    scheduler_flags: SchedulerFlags { flag_1, flag_2, flag_3 },
                    persistence,
                    engine,
                    one_packet,
                }
            },
        )
}

fn tunnel() -> impl Strategy<Value = Tunnel> {
    let checksum = select(&[Checksum::None, Checksum::Full, Checksum::Remote][..]);
    let gre = select(&[Checksum::None, Checksum::Full][..]);
    prop_oneof![
        Just(Tunnel::Ipip),
        (1..=u16::MAX, checksum).prop_map(|(port, checksum)| Tunnel::Gue { port, checksum }),
        gre.prop_map(|checksum| Tunnel::Gre { checksum }),
    ]
}

pub fn dest(id: ServiceId) -> impl Strategy<Value = Dest> {
    let method = prop_oneof![
        Just(Method::Masq),
        Just(Method::DirectRoute),
        tunnel().prop_map(Method::Tunnel)
    ];
    let bound = i32::MAX.cast_unsigned();
    let thresholds =
        prop_oneof![Just((0, 0)), (0..=bound).prop_flat_map(|upper| (Just(upper), 0..=upper)),];
    (method, family(), any::<u16>(), 0..=bound, thresholds).prop_flat_map(
        move |(method, other, port, weight, (upper_threshold, lower_threshold))| {
            let family = if matches!(method, Method::Tunnel(_)) { other } else { id.family() };
            // Only NAT has a port of its own; a marked service has none to inherit.
            let port = match (id, method) {
                (ServiceId::Address { port, .. }, Method::DirectRoute | Method::Tunnel(_)) => port,
                _ => port,
            };
            address(family).prop_map(move |address| Dest {
                addr: DestAddr { address, port },
                method,
                weight,
                upper_threshold,
                lower_threshold,
            })
        },
    )
}

/// Changes that add services with real servers; some may be there twice.
pub fn table() -> impl Strategy<Value = Vec<Change>> {
    let entry = |id: ServiceId| (service(id), vec(dest(id), 0..6));
    let entries = vec(id().prop_flat_map(entry), 0..8);
    entries.prop_map(|entries| {
        let mut changes = Vec::new();
        for (service, dests) in entries {
            let id = service.id;
            changes.push(Change::AddService(service));
            changes.extend(dests.into_iter().map(|dest| Change::AddDest { service: id, dest }));
        }
        changes
    })
}
