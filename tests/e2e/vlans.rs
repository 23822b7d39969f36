//! VLANs: clients and real servers on VLANs of one trunk, 802.1Q and 802.1ad.
//!
//! ```text
//!   client ── eth0.100 ─┐            ┌─ eth0.100         10.1.0.0/24   VIP 10.1.0.5
//!   r1 ────── eth0.100 ─┤            │
//!   r2 ────── eth0.200 ─┼── switch ──┤  director, one trunk: eth0
//!   r3 ────── eth0.300.7 (802.1ad)   ├─ eth0.200         10.2.0.0/24
//!                                    └─ eth0.300.7       10.3.0.0/24
//! ```
//!
//! Real servers answer clients directly, on VLAN 100, in DR; through the director in NAT.

use std::process::Command;

use lvs_tests::{director::Settings, prelude::*};

const VIP: &str = "10.1.0.5";
/// Real servers: host, the lines that make its VLAN, address there, prefix of the network.
const SERVERS: [(&str, &[&str], &str); 3] = [
    ("r1", &["link add eth0.100 link eth0 up type vlan id 100"], "10.1.0.21/24 dev eth0.100"),
    ("r2", &["link add eth0.200 link eth0 up type vlan id 200"], "10.2.0.22/24 dev eth0.200"),
    (
        "r3",
        &[
            "link add eth0.300 link eth0 up type vlan proto 802.1ad id 300",
            "link add eth0.300.7 link eth0.300 up type vlan id 7",
        ],
        "10.3.0.23/24 dev eth0.300.7",
    ),
];

/// Who answers, once each.
const EACH: [(&str, usize); 3] = [("r1", 4), ("r2", 4), ("r3", 4)];

/// Whether this kernel has VLAN interfaces; where it has none, another one runs these tests.
fn are_here() -> bool {
    let made = Command::new("ip")
        .args("link add lvsprobe link lo type vlan id 4094".split(' '))
        .output()
        .unwrap();
    let unknown = String::from_utf8_lossy(&made.stderr).contains("Unknown device type");
    if !unknown {
        Command::new("ip").args(["link", "del", "lvsprobe"]).output().unwrap();
    }
    !unknown
}

/// Where tags are when the director's interface gets a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tags {
    /// In the frame, as from a wire.
    InTheFrame,
    /// Set aside, as network cards do.
    Aside,
}

fn topology(tags: Tags) -> Topology {
    let host = |name: &str| HostPlan::new(name).link(LinkPlan::new("eth0", "lan"));
    let quiet = |plan: HostPlan| {
        plan.loopback(&format!("{VIP}/32"))
            .sysctl("net.ipv4.conf.all.arp_ignore", "1")
            .sysctl("net.ipv4.conf.all.arp_announce", "2")
    };
    let trunk = LinkPlan::new("eth0", "lan").offload(Offload::Prepared);
    let director = HostPlan::new("director").link(trunk).sysctl("net.ipv4.ip_forward", "1");
    let plan = Plan::new().switch("lan").host(host("client")).host(director);
    let plan = SERVERS.iter().fold(plan, |plan, (name, ..)| plan.host(quiet(host(name))));
    let topology = plan.build().unwrap();
    if tags == Tags::InTheFrame {
        // The switch's port writes tags into frames before the director gets them.
        topology
            .switch("lan")
            .exec(&[
                "ethtool",
                "-K",
                "director.eth0",
                "txvlan",
                "off",
                "tx-vlan-stag-hw-insert",
                "off",
            ])
            .unwrap();
    }
    let on_100 = |name: &str, address: &str| {
        let lines = [
            "link add eth0.100 link eth0 up type vlan id 100".to_owned(),
            format!("addr add {address}/24 dev eth0.100"),
        ];
        topology.host(name).netns().ip(&lines).unwrap();
    };
    on_100("client", "10.1.0.10");
    on_100("director", "10.1.0.1");
    topology.host("director").netns().ip(&[format!("addr add {VIP}/32 dev eth0.100")]).unwrap();
    for (name, vlans, address) in SERVERS {
        let netns = topology.host(name).netns();
        netns.ip(vlans).unwrap();
        netns.ip(&[format!("addr add {address}")]).unwrap();
        if name != "r1" {
            topology.host("director").netns().ip(vlans).unwrap();
            let own = address.replace(".22/", ".1/").replace(".23/", ".1/");
            topology.host("director").netns().ip(&[format!("addr add {own}")]).unwrap();
        }
    }
    topology
}

fn serve(topology: &Topology) -> Vec<Web> {
    SERVERS
        .iter()
        .map(|(name, ..)| Web::start(topology.host(name), &Services::usual()).unwrap())
        .collect()
}

fn add(director: &Director, method: &str) {
    director.ipvsadm(&format!("-A -t {VIP}:80 -s rr")).unwrap();
    for (_, _, address) in SERVERS {
        let (rip, _) = address.split_once('/').unwrap();
        director.ipvsadm(&format!("-a -t {VIP}:80 -r {rip}:80 {method}")).unwrap();
    }
    director.wait_until_resolved().unwrap();
}

fn start(topology: &Topology, mode: Mode, interfaces: &[&str]) -> Director {
    let host = topology.host("director");
    let interfaces = interfaces.iter().map(|&it| it.to_owned()).collect();
    Director::start_with(host, Settings { interfaces, ..Settings::new(host, mode) }).unwrap()
}

/// Requests, and a transfer each way by each real server.
fn works(topology: &Topology) {
    let client = topology.host("client").client();
    let vip = (VIP.parse::<std::net::Ipv4Addr>().unwrap(), 80);
    client.sequential(vip, 12).assert_is(&EACH);
    for _ in SERVERS {
        client.download(vip, 2_000_000).unwrap();
    }
    for _ in SERVERS {
        assert_eq!(client.upload(vip, 2_000_000).unwrap().status(), 200);
    }
}

/// DR: the way back of real servers on other VLANs is VLAN 100.
fn direct(tags: Tags, mode: Mode, interfaces: &[&str]) {
    if !are_here() {
        return;
    }
    let topology = topology(tags);
    for (name, address) in [("r2", "10.1.0.22"), ("r3", "10.1.0.23")] {
        let lines = [
            "link add eth0.100 link eth0 up type vlan id 100".to_owned(),
            format!("addr add {address}/24 dev eth0.100"),
        ];
        topology.host(name).netns().ip(&lines).unwrap();
    }
    let _web = serve(&topology);
    let director = start(&topology, mode, interfaces);
    add(&director, "-g");
    if mode == Mode::Native {
        let shown = director.lvs_ctl("status").unwrap();
        assert!(shown.contains("eth0 vlan 300 vlan 7"), "{shown}");
    }
    works(&topology);
}

/// NAT: everybody's way back is the director.
fn translated(tags: Tags, mode: Mode, interfaces: &[&str]) {
    if !are_here() {
        return;
    }
    let topology = topology(tags);
    for (name, gateway) in [("r1", "10.1.0.1"), ("r2", "10.2.0.1"), ("r3", "10.3.0.1")] {
        let netns = topology.host(name).netns();
        netns.ip(&[format!("route add 10.1.0.10 via {gateway}")]).unwrap();
        netns.ip(&[format!("addr del {VIP}/32 dev lo")]).unwrap();
    }
    let _web = serve(&topology);
    let director = start(&topology, mode, interfaces);
    add(&director, "-m");
    works(&topology);
}

#[test]
fn direct_routing_from_vlan_to_vlan_in_native_mode() {
    direct(Tags::InTheFrame, Mode::Native, &["eth0"]);
}

#[test]
fn direct_routing_in_native_mode_where_tags_are_set_aside() {
    direct(Tags::Aside, Mode::Native, &["eth0"]);
}

#[test]
fn direct_routing_in_generic_mode_on_the_trunk() {
    direct(Tags::InTheFrame, Mode::Generic, &["eth0"]);
}

#[test]
fn direct_routing_in_generic_mode_on_the_vlans_own_interface() {
    direct(Tags::Aside, Mode::Auto, &["eth0.100"]);
}

#[test]
fn nat_from_vlan_to_vlan_in_native_mode() {
    translated(Tags::InTheFrame, Mode::Native, &["eth0"]);
}

#[test]
fn nat_in_generic_mode_on_the_vlans_own_interfaces() {
    translated(Tags::Aside, Mode::Auto, &["eth0.100", "eth0.200", "eth0.300.7"]);
}

#[test]
fn a_port_of_a_bond_is_refused_and_the_bond_carries_the_program() {
    let topology = Topology::dr(Offload::Prepared).unwrap();
    let host = topology.host("director");
    let made = host.netns().ip(&["link add bond0 type bond mode active-backup"]);
    if made.is_err() {
        return;
    }
    let lines = [
        "link set eth0 down",
        "link set eth0 master bond0",
        "link set bond0 up",
        "addr add 192.168.4.5/24 dev bond0",
        "addr add 192.168.4.15/32 dev bond0",
    ];
    host.netns().ip(&lines).unwrap();
    let settings = |name: &str| Settings {
        interfaces: vec![name.to_owned()],
        ..Settings::new(host, Mode::Native)
    };
    let refused = Director::start_with(host, settings("eth0")).unwrap_err();
    let why = "eth0 is a port of the bond bond0: name bond0 instead";
    assert!(format!("{refused:#}").contains(why), "{refused:#}");
    let _web = topology.serve(&Services::usual()).unwrap();
    let director = Director::start_with(host, settings("bond0")).unwrap();
    director.ipvsadm("-A -t 192.168.4.15:80 -s rr").unwrap();
    for (_, rip) in layout::DR_SERVERS {
        director.ipvsadm(&format!("-a -t 192.168.4.15:80 -r {rip}:80 -g")).unwrap();
    }
    director.wait_until_resolved().unwrap();
    let split = topology.host("client").client().sequential((layout::DR_VIP, 80), 20);
    split.assert_is(&layout::DR_SERVERS.map(|(name, _)| (name, 10)));
}
