//! The resolver: neighbours, and who keeps them.

use std::net::Ipv4Addr;

use lvs_ctl::netlink::{Resolution, Rtnetlink, rtnetlink::Upkeep};

use crate::{
    lab::in_lab,
    seen::{NEW_MAC, SET_NEW_MAC, Seen, has_mac, silent},
};

#[test]
fn a_new_mac_is_reported() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["192.0.2.10", "2001:db8::10"]);
        seen.resolved("192.0.2.10").await;
        seen.resolved("2001:db8::10").await;
        lab.far(SET_NEW_MAC);
        seen.until("192.0.2.10", has_mac(NEW_MAC)).await;
        seen.until("2001:db8::10", has_mac(NEW_MAC)).await;
    });
}

#[test]
fn an_absent_host_is_silent_until_it_appears() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["192.0.2.77", "2001:db8::77"]);
        seen.until("192.0.2.77", silent("192.0.2.77")).await;
        seen.until("2001:db8::77", silent("2001:db8::77")).await;
        lab.far("address add 192.0.2.77/24 dev r0");
        lab.far("address add 2001:db8::77/64 dev r0 nodad");
        seen.resolved("192.0.2.77").await;
        seen.resolved("2001:db8::77").await;
    });
}

#[test]
fn nothing_is_said_of_a_host_while_it_may_yet_answer() {
    in_lab(async |lab| {
        // Three questions, a second apart: time enough for what follows.
        std::fs::write("/proc/sys/net/ipv4/neigh/d0/retrans_time_ms", "1000").expect("a setting");
        lab.far("link set r0 arp off");
        let mut seen = Seen::watching(["192.0.2.10", "192.0.2.1"]);
        seen.until("192.0.2.1", |it| *it == Resolution::Local).await;
        assert_eq!(seen.reports, 1);
        lab.far("link set r0 arp on");
        seen.resolved("192.0.2.10").await;
        assert_eq!(seen.reports, 2);
    });
}

#[test]
fn flushed_neighbours_heal_unnoticed() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["192.0.2.10", "2001:db8::10"]);
        seen.resolved("192.0.2.10").await;
        seen.resolved("2001:db8::10").await;
        let before = seen.reports;
        lab.director("neigh flush all");
        lab.director("-6 neigh flush all");
        // The announcement finds no entry to update: only who asks again learns the new MAC.
        lab.far(SET_NEW_MAC);
        seen.until("192.0.2.10", has_mac(NEW_MAC)).await;
        seen.until("2001:db8::10", has_mac(NEW_MAC)).await;
        assert_eq!(seen.reports, before + 2, "the flush itself was reported");
    });
}

#[test]
fn neighbours_are_managed_while_watched_and_then_let_go() {
    in_lab(async |lab| {
        let mut seen = Seen::watching(["192.0.2.10"]);
        seen.resolved("192.0.2.10").await;
        let entry = lab.director("neigh show 192.0.2.10");
        assert!(entry.contains("managed") && entry.contains("proto 76"), "{entry}");

        seen.watch(["192.0.2.254"]);
        seen.resolved("192.0.2.254").await;
        let entry = lab.director("neigh show 192.0.2.10");
        assert!(entry.contains("lladdr") && !entry.contains("managed"), "{entry}");
    });
}

#[test]
fn a_resolver_takes_over_what_the_last_one_kept() {
    in_lab(async |lab| {
        let mut first = Seen::watching(["192.0.2.10", "192.0.2.254"]);
        first.resolved("192.0.2.10").await;
        first.resolved("192.0.2.254").await;
        drop(first);
        assert!(lab.director("neigh show 192.0.2.10").contains("managed"));

        let mut second = Seen::watching(["192.0.2.254"]);
        second.resolved("192.0.2.254").await;
        assert!(!lab.director("neigh show 192.0.2.10").contains("managed"));
        assert!(lab.director("neigh show 192.0.2.254").contains("managed"));
    });
}

#[test]
fn entries_of_the_operator_are_used_and_left_alone() {
    in_lab(async |lab| {
        lab.director("neigh add 192.0.2.50 lladdr 02:00:00:00:00:77 dev d0 nud permanent");
        lab.director("neigh add 192.0.2.254 dev d0 managed");
        let mut seen = Seen::watching(["192.0.2.50", "192.0.2.254"]);
        assert_eq!(seen.resolved("192.0.2.50").await.dst_mac, NEW_MAC);
        seen.resolved("192.0.2.254").await;
        seen.watch(["192.0.2.10"]);
        seen.resolved("192.0.2.10").await;
        assert!(lab.director("neigh show 192.0.2.50").contains("PERMANENT"));
        assert!(lab.director("neigh show 192.0.2.254").contains("managed"));
    });
}

#[test]
fn neighbours_are_probed_where_the_kernel_keeps_none() {
    in_lab(async |lab| {
        let resolver = Rtnetlink::with_upkeep(Upkeep::Probed).expect("a resolver");
        lab.director("neigh add 192.0.2.50 lladdr 02:00:00:00:00:77 dev d0 nud permanent");
        let mut seen = Seen::by(resolver, ["192.0.2.10", "192.0.2.50", "192.0.2.77"]);
        seen.resolved("192.0.2.10").await;
        assert!(!lab.director("neigh show 192.0.2.10").contains("managed"));
        seen.until("192.0.2.77", silent("192.0.2.77")).await;
        lab.far("address add 192.0.2.77/24 dev r0");
        // A round of probes it takes to find that one.
        seen.resolved("192.0.2.77").await;
        assert!(lab.director("neigh show 192.0.2.50").contains("PERMANENT"));
        lab.director("neigh flush all");
        lab.far(SET_NEW_MAC);
        seen.until("192.0.2.10", has_mac(NEW_MAC)).await;
    });
}

#[test]
fn two_hundred_addresses_resolve_and_move_together() {
    in_lab(async |lab| {
        let addresses: Vec<String> =
            (0..200).map(|host| Ipv4Addr::from(0xc000_0200 + 40 + host).to_string()).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        for address in &addresses {
            lab.far(&format!("address add {address}/24 dev r0"));
        }
        let mut seen = Seen::watching(addresses.iter().copied());
        for address in &addresses {
            seen.resolved(address).await;
        }
        lab.far(SET_NEW_MAC);
        for address in &addresses {
            seen.until(address, has_mac(NEW_MAC)).await;
        }
    });
}
