//! The resolver: routes and links.

use std::io::Write as _;

use lvs_ctl::netlink::{Barrier, NextHop, Resolution, Why};

use crate::{
    lab::{Lab, in_lab},
    seen::{Seen, ip, leaves_by, mac, silent},
};

#[test]
fn a_real_server_on_the_link_resolves() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["192.0.2.10"]);
        let expected = NextHop {
            interface: index(lab, "d0"),
            interface_name: "d0".to_owned(),
            source: ip("192.0.2.1"),
            gateway: None,
            src_mac: mac(&lab.director("link show d0")),
            dst_mac: mac(&lab.far("link show r0")),
            mtu: 1500,
        };
        seen.until("192.0.2.10", |it| *it == Resolution::Resolved(expected.clone())).await;
    });
}

#[test]
fn an_ipv6_real_server_on_the_link_resolves() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["2001:db8::10"]);
        let hop = seen.resolved("2001:db8::10").await;
        assert_eq!(hop.dst_mac, mac(&lab.far("link show r0")));
        assert_eq!((hop.source, hop.gateway), (ip("2001:db8::1"), None));
    });
}

#[test]
fn gateways_of_every_sort_resolve() {
    in_lab(async |lab| {
        lab.director("route add 203.0.113.0/25 via 192.0.2.254");
        lab.director("route add 203.0.113.128/25 via inet6 fe80::fe dev d0");
        lab.director("route add 2001:db8:1::/64 via 2001:db8::fe");
        lab.director("route add 2001:db8:2::/64 via fe80::fe dev d0");
        let far = mac(&lab.far("link show r0"));
        let ways = [
            ("203.0.113.9", "192.0.2.254"),
            ("203.0.113.200", "fe80::fe"),
            ("2001:db8:1::9", "2001:db8::fe"),
            ("2001:db8:2::9", "fe80::fe"),
        ];
        let mut seen = Seen::watching(ways.map(|(address, _)| address));
        for (address, gateway) in ways {
            let hop = seen.resolved(address).await;
            assert_eq!((hop.gateway, hop.dst_mac), (Some(ip(gateway)), far), "{address}");
            assert_eq!(hop.source.is_ipv4(), ip(address).is_ipv4(), "{address}");
        }
    });
}

#[test]
fn a_new_mac_of_our_own_is_reported() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["192.0.2.10"]);
        seen.resolved("192.0.2.10").await;
        lab.director("link set d0 address 02:00:00:00:00:55");
        let ours = [2, 0, 0, 0, 0, 0x55];
        let is_ours =
            |it: &Resolution| matches!(it, Resolution::Resolved(hop) if hop.src_mac == ours);
        seen.until("192.0.2.10", is_ours).await;
    });
}

#[test]
fn a_downed_interface_is_named_and_comes_back() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["192.0.2.10"]);
        seen.resolved("192.0.2.10").await;
        lab.director("link set d0 down");
        let down = Why::InterfaceDown { interface: "d0".to_owned() };
        seen.until("192.0.2.10", |it| *it == Resolution::Unresolved(down.clone())).await;
        lab.director("link set d0 up");
        seen.resolved("192.0.2.10").await;
    });
}

#[test]
fn a_lost_carrier_is_named_and_comes_back() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["192.0.2.10"]);
        seen.resolved("192.0.2.10").await;
        lab.far("link set r0 down");
        let lost = Why::NoCarrier { interface: "d0".to_owned() };
        seen.until("192.0.2.10", |it| *it == Resolution::Unresolved(lost.clone())).await;
        lab.far("link set r0 up");
        seen.resolved("192.0.2.10").await;
    });
}

#[test]
fn a_route_change_moves_the_next_hop() {
    in_lab(async |lab| {
        lab.director("route add 203.0.113.0/24 via 192.0.2.254");
        let mut seen = Seen::watching(["203.0.113.9"]);
        assert_eq!(seen.resolved("203.0.113.9").await.interface_name, "d0");

        lab.director("route add 203.0.113.9/32 via 198.51.100.254");
        seen.until("203.0.113.9", leaves_by("d1")).await;
        lab.director("route del 203.0.113.9/32");
        seen.until("203.0.113.9", leaves_by("d0")).await;
        lab.director("rule add to 203.0.113.9 table 77");
        lab.director("route add default via 198.51.100.254 table 77");
        seen.until("203.0.113.9", leaves_by("d1")).await;
    });
}

#[test]
fn the_mtu_is_the_routes_or_the_interfaces() {
    in_lab(async |lab| {
        let has_mtu =
            |mtu| move |it: &Resolution| matches!(it, Resolution::Resolved(hop) if hop.mtu == mtu);
        let mut seen = Seen::watching(["192.0.2.10"]);
        seen.until("192.0.2.10", has_mtu(1500)).await;
        lab.director("route add 192.0.2.10/32 dev d0 mtu 1400");
        seen.until("192.0.2.10", has_mtu(1400)).await;
        lab.director("link set d0 mtu 1300");
        seen.until("192.0.2.10", has_mtu(1300)).await;
    });
}

#[test]
fn refusing_routes_say_which_they_are() {
    in_lab(async |lab| {
        let barriers = [
            ("203.0.113.1", "blackhole", Barrier::Blackhole),
            ("203.0.113.2", "unreachable", Barrier::Unreachable),
            ("203.0.113.3", "prohibit", Barrier::Prohibit),
            ("2001:db8:9::1", "blackhole", Barrier::Blackhole),
            ("2001:db8:9::2", "unreachable", Barrier::Unreachable),
            ("2001:db8:9::3", "prohibit", Barrier::Prohibit),
        ];
        for (address, kind, _) in barriers {
            lab.director(&format!("route add {kind} {address}"));
        }
        let mut seen = Seen::watching(barriers.map(|(address, ..)| address));
        for (address, _, barrier) in barriers {
            let why = Resolution::Unresolved(Why::Barred(barrier));
            seen.until(address, |it| *it == why).await;
        }
    });
}

#[test]
fn an_address_without_a_route_gets_one_and_loses_it() {
    in_lab(async |lab| {
        let no_route = Resolution::Unresolved(Why::NoRoute);
        let mut seen = Seen::watching(["203.0.113.9", "2001:db8:1::9"]);
        for (address, prefix, gateway) in [
            ("203.0.113.9", "203.0.113.0/24", "192.0.2.254"),
            ("2001:db8:1::9", "2001:db8:1::/64", "2001:db8::fe"),
        ] {
            seen.until(address, |it| *it == no_route).await;
            lab.director(&format!("route add {prefix} via {gateway}"));
            seen.resolved(address).await;
            lab.director(&format!("route del {prefix}"));
            seen.until(address, |it| *it == no_route).await;
        }
    });
}

#[test]
fn an_address_of_our_own_is_local_as_long_as_it_is() {
    in_lab(async |lab| {
        let mut seen =
            Seen::watching(["192.0.2.1", "127.0.0.1", "2001:db8::1", "::1", "192.0.2.99"]);
        for address in ["192.0.2.1", "127.0.0.1", "2001:db8::1", "::1"] {
            seen.until(address, |it| *it == Resolution::Local).await;
        }
        seen.until("192.0.2.99", silent("192.0.2.99")).await;
        lab.director("address add 192.0.2.99/32 dev lo");
        seen.until("192.0.2.99", |it| *it == Resolution::Local).await;
        lab.director("address del 192.0.2.99/32 dev lo");
        seen.until("192.0.2.99", silent("192.0.2.99")).await;
    });
}

#[test]
fn broadcast_and_tunnels_are_refused_by_name() {
    in_lab(async |lab| {
        lab.director("tuntap add tun9 mode tun");
        lab.director("address add 203.0.113.1/24 dev tun9");
        lab.director("link set tun9 up");
        let mut seen = Seen::watching(["192.0.2.255", "203.0.113.9"]);
        seen.until("192.0.2.255", |it| *it == Resolution::Unresolved(Why::NotUnicast)).await;
        let tunnel = Why::NotEthernet { interface: "tun9".to_owned() };
        seen.until("203.0.113.9", |it| *it == Resolution::Unresolved(tunnel.clone())).await;
    });
}

#[test]
fn an_address_that_returns_is_reported_anew() {
    in_lab(async |_| {
        let mut seen = Seen::watching(["192.0.2.10"]);
        seen.resolved("192.0.2.10").await;
        for addresses in [vec![], vec!["192.0.2.10"], vec![], vec!["192.0.2.10"]] {
            seen.watch(addresses);
        }
        let before = seen.reports;
        seen.forget();
        seen.resolved("192.0.2.10").await;
        seen.forget();
        seen.resolved("192.0.2.10").await;
        assert_eq!(seen.reports, before + 2);
    });
}

#[test]
fn a_change_among_dropped_notifications_is_found() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["203.0.113.9"]);
        seen.until("203.0.113.9", |it| *it == Resolution::Unresolved(Why::NoRoute)).await;

        // All of this happens while the resolver's thread, which is this one, does not read. Few
        // neighbours, or the resolver would take any flood for a reason to look at everything.
        let neighbour = "neigh replace 198.51.100.9 lladdr 02:00:00:00:00:01 dev d1 nud";
        let lines = format!("{neighbour} reachable\n{neighbour} stale\n").repeat(20_000);
        let mut batch = tempfile::NamedTempFile::new().expect("a file");
        batch.write_all(lines.as_bytes()).expect("the file takes it");
        lab.director(&format!("-batch {}", batch.path().display()));
        assert!(dropped_notifications() > 0, "the flood was too small to overrun the socket");
        lab.director("route add 203.0.113.0/24 via 192.0.2.254");

        seen.resolved("203.0.113.9").await;
    });
}

fn index(lab: &Lab, interface: &str) -> u32 {
    let shown = lab.director(&format!("link show {interface}"));
    shown.split(':').next().and_then(|index| index.parse().ok()).expect("an index")
}

/// Notifications that the kernel could not deliver to sockets of this thread's namespace.
fn dropped_notifications() -> u32 {
    let sockets = std::fs::read_to_string("/proc/thread-self/net/netlink").expect("the list");
    let drops = sockets.lines().skip(1).filter_map(|line| line.split_whitespace().nth(8));
    drops.map(|drops| drops.parse::<u32>().expect("a count")).sum()
}
