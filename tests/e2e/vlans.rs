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
//! Real servers answer clients directly, on VLAN 100, in DR; through the director in NAT. Behind two tags the MTU is
//! 1496 on both ends: veths, as many cards, carry one tag beside their MTU. These tests
//! run in the guest (`cargo xtask test --kernel 6.1`).

use std::net::Ipv4Addr;

use lvs_tests::{
    devices::{self, Device},
    director::Settings,
    prelude::*,
};

const VIP: &str = "10.1.0.5";
/// Real servers: host, the lines that make its VLAN, address there, prefix of the network.
const SERVERS: [(&str, &[&str], &str); 3] = [
    ("r1", &["link add eth0.100 link eth0 up type vlan id 100"], "10.1.0.21/24 dev eth0.100"),
    ("r2", &["link add eth0.200 link eth0 up type vlan id 200"], "10.2.0.22/24 dev eth0.200"),
    (
        "r3",
        &[
            "link add eth0.300 link eth0 up type vlan proto 802.1ad id 300",
            "link add eth0.300.7 link eth0.300 mtu 1496 up type vlan id 7",
        ],
        "10.3.0.23/24 dev eth0.300.7",
    ),
];

/// The port of the service of all real servers. Each also has one of its own: the next ports, in their order.
const PORT: u16 = 80;
/// Bytes of a transfer.
const LONG: u64 = 300_000;

/// Where tags are when the director's interface gets a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tags {
    /// In the frame, as from a wire.
    InTheFrame,
    /// Set aside, as network cards do.
    Aside,
}

/// How real servers answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// Directly: the VIP is theirs, and VLAN 100 their way back.
    Dr,
    /// Through the director.
    Nat,
}

impl Method {
    const fn flag(self) -> &'static str {
        match self {
            Self::Dr => "-g",
            Self::Nat => "-m",
        }
    }
}

fn topology() -> Topology {
    let host = |name: &str| HostPlan::new(name).link(LinkPlan::new("eth0", "lan"));
    let server = |name: &str| {
        host(name)
            .sysctl("net.ipv4.conf.all.arp_ignore", "1")
            .sysctl("net.ipv4.conf.all.arp_announce", "2")
    };
    let trunk = LinkPlan::new("eth0", "lan").offload(Offload::Prepared);
    let director = HostPlan::new("director").link(trunk).sysctl("net.ipv4.ip_forward", "1");
    let plan = Plan::new().switch("lan").host(host("client")).host(director);
    let topology =
        SERVERS.iter().fold(plan, |plan, (name, ..)| plan.host(server(name))).build().unwrap();
    let ip = |name: &str, lines: &[String]| topology.host(name).netns().ip(lines).unwrap();
    let on_100 = |name: &str, address: &str| {
        let vlan = "link add eth0.100 link eth0 up type vlan id 100".to_owned();
        ip(name, &[vlan, format!("addr add {address} dev eth0.100")]);
    };
    on_100("client", "10.1.0.10/24");
    on_100("director", "10.1.0.1/24");
    ip("director", &[format!("addr add {VIP}/32 dev eth0.100")]);
    for (name, vlans, address) in SERVERS {
        let vlans: Vec<_> = vlans.iter().map(|&line| line.to_owned()).collect();
        ip(name, &vlans);
        ip(name, &[format!("addr add {address}")]);
        if name != "r1" {
            let (there, _) = address.split_once(' ').unwrap();
            on_100(name, &there.replace("10.2.", "10.1.").replace("10.3.", "10.1."));
            let own = address.replace(".22/", ".1/").replace(".23/", ".1/");
            ip("director", &vlans);
            ip("director", &[format!("addr add {own}")]);
        }
    }
    topology
}

/// Where the switch's port leaves the tags of frames for the director.
fn put_tags(topology: &Topology, tags: Tags) {
    let set = if tags == Tags::InTheFrame { "off" } else { "on" };
    let command = ["ethtool", "-K", "director.eth0", "txvlan", set, "tx-vlan-stag-hw-insert", set];
    topology.switch("lan").exec(&command).unwrap();
}

/// Makes the real servers' way back that of the method.
fn turn_back(topology: &Topology, method: Method) {
    for (name, gateway) in [("r1", "10.1.0.1"), ("r2", "10.2.0.1"), ("r3", "10.3.0.1")] {
        let lines = match method {
            Method::Dr => [format!("addr add {VIP}/32 dev lo"), "route flush 10.1.0.10".into()],
            Method::Nat => {
                [format!("addr del {VIP}/32 dev lo"), format!("route add 10.1.0.10 via {gateway}")]
            }
        };
        topology.host(name).netns().ip(&lines).unwrap();
    }
}

fn serve(topology: &Topology) -> Vec<Web> {
    let services = Services { http: (PORT..=PORT + 3).collect(), ..Services::default() };
    SERVERS.iter().map(|(name, ..)| Web::start(topology.host(name), &services).unwrap()).collect()
}

fn start(topology: &Topology, mode: Mode, interfaces: &[&str]) -> Director {
    let host = topology.host("director");
    let interfaces = interfaces.iter().map(|&it| it.to_owned()).collect();
    Director::start_with(host, Settings { interfaces, ..Settings::new(host, mode) }).unwrap()
}

/// What does not work: requests, and a transfer each way by each real server.
fn failures(topology: &Topology, director: &Director, mode: Mode, method: Method) -> Vec<String> {
    turn_back(topology, method);
    let client = topology.host("client").client();
    let vip = |port: u16| (VIP.parse::<Ipv4Addr>().unwrap(), port);
    let rips = SERVERS.map(|(_, _, address)| address.split_once('/').unwrap().0);
    for port in PORT..=PORT + 3 {
        director.ipvsadm(&format!("-A -t {VIP}:{port} -s rr")).unwrap();
    }
    for (rip, own) in rips.iter().zip(PORT + 1..) {
        for port in [PORT, own] {
            let flag = method.flag();
            director.ipvsadm(&format!("-a -t {VIP}:{port} -r {rip}:{port} {flag}")).unwrap();
        }
    }
    director.wait_until_resolved().unwrap();
    let mut failures = Vec::new();
    let shown = director.lvs_ctl("status").unwrap();
    // Frames from a driver's hook do not pass the VLANs' interfaces.
    if mode == Mode::Native && !shown.contains("eth0 vlan 300 vlan 7") {
        failures.push(shown);
    }
    let split = client.sequential(vip(PORT), 6);
    if SERVERS.iter().any(|(name, ..)| split.of(name) != 2) {
        failures.push(format!("{method:?}: {split}"));
    }
    for ((name, ..), port) in SERVERS.iter().zip(PORT + 1..) {
        let down = client.download(vip(port), LONG).err();
        let up = client.upload(vip(port), LONG).err();
        failures.extend(down.map(|error| format!("{method:?}: download from {name}: {error:#}")));
        failures.extend(up.map(|error| format!("{method:?}: upload to {name}: {error:#}")));
    }
    for port in PORT..=PORT + 3 {
        director.ipvsadm(&format!("-D -t {VIP}:{port}")).unwrap();
    }
    failures
}

/// Both methods, with tags at each of the places.
fn all_goes_through(mode: Mode, interfaces: &[&str], places: &[Tags]) {
    devices::demand(&[Device::Link("vlan")]);
    let topology = topology();
    let _web = serve(&topology);
    let director = start(&topology, mode, interfaces);
    let mut wrong = Vec::new();
    for &tags in places {
        put_tags(&topology, tags);
        for method in [Method::Dr, Method::Nat] {
            let failures = failures(&topology, &director, mode, method);
            wrong.extend(failures.iter().map(|failure| format!("{tags:?}, {failure}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "in the guest: VLAN devices"]
fn from_vlan_to_vlan_in_native_mode_on_the_trunk() {
    all_goes_through(Mode::Native, &["eth0"], &[Tags::InTheFrame, Tags::Aside]);
}

#[test]
#[ignore = "in the guest: VLAN devices"]
fn from_vlan_to_vlan_in_generic_mode_on_the_trunk() {
    all_goes_through(Mode::Generic, &["eth0"], &[Tags::InTheFrame]);
}

#[test]
#[ignore = "in the guest: VLAN devices"]
fn from_vlan_to_vlan_in_generic_mode_on_the_vlans_own_interfaces() {
    let interfaces = ["eth0.100", "eth0.200", "eth0.300.7"];
    all_goes_through(Mode::Auto, &interfaces, &[Tags::Aside]);
}

#[test]
#[ignore = "in the guest: bond devices"]
fn a_port_of_a_bond_is_refused_and_the_bond_carries_the_program() {
    devices::demand(&[Device::Link("bond")]);
    let topology = Topology::dr(Offload::Prepared).unwrap();
    let host = topology.host("director");
    let lines = [
        "link add bond0 type bond mode active-backup",
        "addr flush dev eth0",
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
