//! `lvs-ctl realserver`: a host becomes a real server, says what it changed, and is as it was afterwards; and it
//! takes packets out of tunnels without a tunnel device.
//!
//! ```text
//!  client .10 ::10 ── lan4 ── director .5 ::5, VIPs .15 ::15
//!                        └─── rs .100 ::100
//! ```

use std::net::{IpAddr, SocketAddr};

use lvs_tests::prelude::*;

const VIPS: [&str; 2] = ["192.168.4.15", "fd00:4::15"];
const RIPS: [&str; 2] = ["192.168.4.100", "fd00:4::100"];
const TYPES: [&str; 4] = [
    "-i",
    "-i --tun-type gue --tun-port 5555",
    "-i --tun-type gre",
    "-i --tun-type gre --tun-csum",
];

const IGNORE: &str = "net/ipv4/conf/all/arp_ignore";

fn topology() -> Topology {
    let link = |v4: &str, v6: &str| {
        let link = LinkPlan::new("eth0", "lan4").offload(Offload::Prepared);
        link.address(&format!("{v4}/24")).address(&format!("{v6}/64"))
    };
    let director = link("192.168.4.5", "fd00:4::5");
    let director = director.address(&format!("{}/32", VIPS[0]));
    let director = director.address(&format!("{}/128", VIPS[1]));
    Plan::new()
        .switch("lan4")
        .host(HostPlan::new("client").link(link("192.168.4.10", "fd00:4::10")))
        .host(HostPlan::new("director").link(director))
        .host(HostPlan::new("rs").link(link(RIPS[0], RIPS[1])))
        .build()
        .unwrap()
}

/// What of a host may be changed.
fn state(host: &Host) -> String {
    let netns = host.netns();
    let sysctls: Vec<_> = ["all", "eth0"]
        .iter()
        .flat_map(|at| {
            ["arp_ignore", "arp_announce", "rp_filter"].map(|name| format!("{at}/{name}"))
        })
        .map(|path| netns.exec(&["cat", &format!("/proc/sys/net/ipv4/conf/{path}")]).unwrap())
        .collect();
    let routes = netns.exec(&["ip", "route", "show", "table", "all"]).unwrap();
    let addresses = netns.exec(&["ip", "-brief", "address", "show"]).unwrap();
    [sysctls.concat(), routes, addresses].concat()
}

#[test]
fn a_host_is_set_up_for_dr_and_as_it_was_afterwards() {
    let topology = topology();
    let host = topology.host("rs");
    let before = state(host);
    let server = RealServer::on(host).unwrap();
    let setup = |vip: &str| format!("setup --method dr --vip {vip} --interface eth0");

    let planned = server.say(&format!("{} --plan", setup(VIPS[0]))).unwrap();
    assert_eq!((planned.code, state(host)), (Some(2), before.clone()), "{planned}");
    let made = server.must(&setup(VIPS[0])).unwrap();
    assert_eq!(made, planned.stdout);
    let lines: Vec<_> = made.lines().map(|l| l.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(lines[0], ["SETTING", "BEFORE", "AFTER"]);
    assert_eq!(lines[1], [IGNORE, "0", "1"]);
    assert_eq!(lines[5], ["address", VIPS[0], "on", "lo", "-", "192.168.4.15/32"], "{made}");
    assert_eq!(server.must(&setup(VIPS[0])).unwrap(), "nothing to change\n");
    server.must(&setup(VIPS[1])).unwrap();
    let addresses = host.netns().exec(&["ip", "-6", "address", "show", "dev", "lo"]).unwrap();
    let vip = addresses.lines().find(|line| line.contains("inet6 fd00:4::15/128")).unwrap();
    assert!(vip.contains("deprecated") && vip.contains("nodad"), "{addresses}");

    assert_eq!(server.must("check").unwrap(), "all stands as it was set up\n");
    host.netns().sysctl("net.ipv4.conf.all.arp_ignore", "0").unwrap();
    let checked = server.say("check").unwrap();
    assert_eq!(checked.code, Some(2), "{checked}");
    assert!(checked.stdout.contains(IGNORE), "{checked}");
    host.netns().sysctl("net.ipv4.conf.all.arp_ignore", "1").unwrap();

    let shown = server.must("show").unwrap();
    assert!(shown.contains("fd00:4::15    dr      eth0"), "{shown}");
    let undone = server.must("undo").unwrap();
    assert_eq!(undone.lines().count(), 1 + 6, "{undone}");
    assert_eq!(state(host), before);
    assert_eq!(server.must("undo").unwrap(), "nothing was set up\n");
}

#[test]
fn for_nat_the_default_route_becomes_the_director_and_comes_back() {
    let topology = topology();
    let host = topology.host("rs");
    host.netns().ip(&["route add default via 192.168.4.10"]).unwrap();
    let before = state(host);
    let server = RealServer::on(host).unwrap();
    let asked = server.must(&format!("setup --method nat --vip {}", VIPS[0])).unwrap();
    assert!(asked.ends_with("now: default via 192.168.4.10 dev eth0\n"), "{asked}");
    let gateway = "--interface eth0 --gateway 192.168.4.5";
    server.must(&format!("setup --method nat --vip {} {gateway}", VIPS[0])).unwrap();
    let route = host.netns().exec(&["ip", "route", "show", "default"]).unwrap();
    assert_eq!(route.trim(), "default via 192.168.4.5 dev eth0");
    server.must("undo").unwrap();
    assert_eq!(state(host), before);
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_changed() {
    let topology = topology();
    let host = topology.host("rs");
    let server = RealServer::on(host).unwrap();
    host.netns().ip(&["address add 192.168.4.77/24 dev eth0"]).unwrap();
    let before = state(host);
    let refused = |arguments: &str, words: &str| {
        let said = server.say(arguments).unwrap();
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.stderr.contains(words), "{said}");
        assert_eq!(state(host), before);
    };
    let dr = "setup --method dr --vip";
    refused(&format!("{dr} 192.168.4.15 --interface eth7"), "there is no interface eth7");
    refused(&format!("{dr} 192.168.4.77"), "192.168.4.77 is on eth0 already");
    refused(&format!("{dr} 224.0.0.1"), "224.0.0.1 cannot be a VIP");
    refused(&format!("{dr} 192.168.4.15 --gateway 192.168.4.5"), "only NAT");
    let nat = "setup --method nat --vip 192.168.4.15 --interface eth0 --gateway";
    refused(
        &format!("{nat} 203.0.113.1"),
        "`ip -4 route replace default via 203.0.113.1 dev eth0'",
    );
    refused("decap --interface eth7 --vip 192.168.4.15", "there is no interface eth7");
    assert_eq!(server.must("show").unwrap(), "nothing was set up\n");
}

#[test]
fn packets_of_either_family_come_out_of_tunnels_of_either_in_native_mode() {
    come_out(Mode::Native);
}

#[test]
fn packets_of_either_family_come_out_of_tunnels_of_either_in_generic_mode() {
    come_out(Mode::Generic);
}

fn come_out(mode: Mode) {
    let topology = topology();
    let host = topology.host("rs");
    let server = RealServer::on(host).unwrap();
    for vip in VIPS {
        server.must(&format!("setup --method dr --vip {vip}")).unwrap();
        server.must(&format!("decap --interface eth0 --vip {vip} --tun-port 5555")).unwrap();
    }
    let web = Web::start(host, &Services::usual()).unwrap();
    let director = Director::start(topology.host("director"), mode).unwrap();
    let client = topology.host("client").client();
    let end = |address: &str, port| SocketAddr::new(address.parse::<IpAddr>().unwrap(), port);
    for flags in TYPES {
        for (vip, rip) in VIPS.iter().flat_map(|vip| RIPS.map(|rip| (vip, rip))) {
            let services = [("-u", 53), ("-t", 80)];
            for (kind, port) in services {
                director.ipvsadm(&format!("-A {kind} {} -s rr", end(vip, port))).unwrap();
                let line = format!("-a {kind} {} -r {} {flags}", end(vip, port), end(rip, port));
                director.ipvsadm(&line).unwrap();
            }
            director.wait_until_resolved().unwrap();
            // The shortest packets, too.
            for size in [0, 1, 700] {
                client.datagrams(end(vip, 53), 2, &vec![b'x'; size]).assert_is(&[("rs", 2)]);
            }
            let sent = client.upload(end(vip, 80), 500_000).unwrap();
            assert_eq!(sent.status(), 200, "{flags} {vip} by {rip}");
            for (kind, port) in services {
                director.ipvsadm(&format!("-D {kind} {}", end(vip, port))).unwrap();
            }
        }
    }
    let shown = server.must("show").unwrap();
    assert!(shown.contains("eth0       fd00:4::15    ipip, gre, gue:5555"), "{shown}");

    assert_eq!(
        server.must("decap --interface eth0 --detach").unwrap(),
        "eth0: packets pass as they are\n"
    );
    assert_eq!(
        server.must("decap --interface eth0 --detach").unwrap(),
        "eth0: nothing was attached\n"
    );
    drop(web);
}
