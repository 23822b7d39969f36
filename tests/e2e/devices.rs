//! TUN and SCTP, with the kernel's own at the other end: its tunnel devices, of every type and in both families, one
//! inside the other too, and its SCTP sockets. They run in the guest (`cargo xtask test --kernel 6.1`).
//!
//! ```text
//!   client .10, ::10 ──┬── lan4 192.168.4.0/24, fd00:4::/64 ──┬── dr-100, dr-200   VIPs on lo, ends of tunnels
//!                      └── director .5, ::5; VIPs .15, ::15   │
//! ```

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use lvs_tests::{
    devices::{self, Device},
    prelude::*,
    tunnel::GUE_PORT,
};

use crate::cluster::{Cluster, DR, NAT};

/// What the kernel takes packets out of tunnels with.
const ENDS: [Device; 6] = [
    Device::Link("ipip"),
    Device::Link("sit"),
    Device::Link("gre"),
    Device::Link("ip6tnl"),
    Device::Link("ip6gre"),
    Device::Fou,
];

/// A service's family, and that of its real servers' addresses.
type Families = (Family, Family);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// A type of tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Ipip,
    Gre { checksum: bool },
    Gue(&'static str),
}

const TYPES: [Type; 6] = [
    Type::Ipip,
    Type::Gre { checksum: false },
    Type::Gre { checksum: true },
    Type::Gue("--tun-nocsum"),
    Type::Gue("--tun-csum"),
    Type::Gue("--tun-remcsum"),
];

const SERVERS: [&str; 2] = ["dr-100", "dr-200"];

impl Family {
    /// An address on the network: its number there.
    fn at(self, host: u16) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::new(192, 168, 4, host.to_be_bytes()[1]).into(),
            Self::V6 => Ipv6Addr::new(0xfd00, 4, 0, 0, 0, 0, 0, host).into(),
        }
    }

    fn vip(self) -> IpAddr {
        self.at(15)
    }

    fn rip(self, server: usize) -> IpAddr {
        self.at([100, 200][server])
    }

    fn prefix(self) -> u8 {
        if self == Self::V4 { 24 } else { 64 }
    }

    fn whole(self) -> u8 {
        if self == Self::V4 { 32 } else { 128 }
    }
}

impl Type {
    /// As `ipvsadm -a` takes it.
    fn flags(self) -> String {
        match self {
            Self::Ipip => "-i".into(),
            Self::Gre { checksum: false } => "-i --tun-type gre".into(),
            Self::Gre { checksum: true } => "-i --tun-type gre --tun-csum".into(),
            Self::Gue(checksum) => format!("-i --tun-type gue --tun-port {GUE_PORT} {checksum}"),
        }
    }

    /// The lines of `ip` that make a real server's end, and those that take it away.
    fn end(self, (inner, outer): Families, rip: IpAddr) -> (Vec<String>, Vec<String>) {
        let plain = match (inner, outer) {
            (Family::V4, Family::V4) => format!("type ipip local {rip}"),
            (Family::V6, Family::V4) => format!("type sit local {rip}"),
            (_, Family::V6) => format!("type ip6tnl mode any local {rip}"),
        };
        let gre = if outer == Family::V4 { "gre" } else { "ip6gre" };
        let link = match self {
            Self::Gre { checksum: false } => format!("type {gre} local {rip}"),
            Self::Gre { checksum: true } => format!("type {gre} local {rip} icsum"),
            Self::Ipip | Self::Gue(_) => plain,
        };
        let mut made = vec![format!("link add end {link}"), "link set end up".to_owned()];
        let mut gone = vec!["link del end".to_owned()];
        if let Self::Gue(_) = self {
            let version = if outer == Family::V4 { "" } else { " -6" };
            made.push(format!("fou add port {GUE_PORT} gue{version}"));
            gone.push(format!("fou del port {GUE_PORT}{version}"));
        }
        (made, gone)
    }
}

fn topology() -> Topology {
    let link = |host: u16| {
        [Family::V4, Family::V6].iter().fold(LinkPlan::new("eth0", "lan4"), |link, family| {
            link.address(&format!("{}/{}", family.at(host), family.prefix()))
        })
    };
    let vips =
        [Family::V4, Family::V6].map(|family| format!("{}/{}", family.vip(), family.whole()));
    // Not the VIP is to be the source of tunnels' packets: a real server takes none from its own address.
    let director = vips.iter().fold(link(5).offload(Offload::Prepared), |link, vip| {
        link.address(&format!("{vip} preferred_lft 0"))
    });
    let plan = Plan::new()
        .switch("lan4")
        .host(HostPlan::new("client").link(link(10)))
        .host(HostPlan::new("director").link(director));
    let servers = SERVERS.iter().zip([100, 200]);
    servers
        .fold(plan, |plan, (name, host)| {
            let server = HostPlan::new(name)
                .link(link(host))
                .sysctl("net.ipv4.conf.all.arp_ignore", "1")
                .sysctl("net.ipv4.conf.all.arp_announce", "2");
            plan.host(vips.iter().fold(server, |server, vip| server.loopback(vip)))
        })
        .build()
        .unwrap()
}

#[test]
#[ignore = "in the guest: tunnel devices"]
fn the_kernels_devices_take_packets_out_of_tunnels_of_every_type_in_native_mode() {
    tunnels(Mode::Native);
}

#[test]
#[ignore = "in the guest: tunnel devices"]
fn the_kernels_devices_take_packets_out_of_tunnels_of_every_type_in_generic_mode() {
    tunnels(Mode::Generic);
}

fn tunnels(mode: Mode) {
    devices::demand(&ENDS);
    let topology = topology();
    let web = SERVERS.map(|name| Web::start(topology.host(name), &Services::usual()).unwrap());
    let director = Director::start(topology.host("director"), mode).unwrap();
    let start = Instant::now();
    let mut failures = Vec::new();
    for inner in [Family::V4, Family::V6] {
        for outer in [Family::V6, Family::V4] {
            for kind in TYPES {
                let wrong = through(&topology, &director, kind, (inner, outer));
                eprintln!("{:.0?}: {inner:?} in {outer:?}, {kind:?}: {wrong:?}", start.elapsed());
                let named = |wrong| format!("{inner:?} in {outer:?}, {kind:?}: {wrong}");
                failures.extend(wrong.into_iter().map(named));
            }
        }
    }
    drop(web);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What does not go through a tunnel as it should.
fn through(
    topology: &Topology,
    director: &Director,
    kind: Type,
    families: Families,
) -> Vec<String> {
    let (inner, outer) = families;
    let vip = |port| SocketAddr::from((inner.vip(), port));
    let client = topology.host("client").client().timeout(Duration::from_secs(5));
    // What the client has learnt of the path to the VIP it would remember for the next tunnel.
    for family in ["-4", "-6"] {
        let netns = topology.host("client").netns();
        netns.exec(&["ip", family, "route", "flush", "cache"]).unwrap();
    }
    let ends = [0, 1].map(|server| kind.end(families, outer.rip(server)));
    for (name, (made, _)) in SERVERS.iter().zip(&ends) {
        topology.host(name).netns().ip(made).unwrap();
    }
    for (protocol, port) in [("-t", 80), ("-u", 53)] {
        director.ipvsadm(&format!("-A {protocol} {} -s rr", vip(port))).unwrap();
        for server in [0, 1] {
            let rip = SocketAddr::from((outer.rip(server), port));
            let line = format!("-a {protocol} {} -r {rip} {}", vip(port), kind.flags());
            director.ipvsadm(&line).unwrap();
        }
    }
    director.wait_until_resolved().unwrap();

    let mut failures = Vec::new();
    let mut each = |what: &str, split: Split| {
        if SERVERS.iter().any(|name| split.of(name) != 1) {
            failures.push(format!("{what}: {split}"));
        }
    };
    each("requests", client.sequential(vip(80), 2));
    each("datagrams", client.datagrams(vip(53), 2, b"x"));
    each("long datagrams", client.datagrams(vip(53), 2, &[b'x'; 1300]));
    // Segments of 1500 bytes do not fit until somebody tells the client.
    if let Err(error) = client.upload(vip(80), 200_000) {
        failures.push(format!("upload: {error:#}"));
    }
    for (protocol, port) in [("-t", 80), ("-u", 53)] {
        director.ipvsadm(&format!("-D {protocol} {}", vip(port))).unwrap();
    }
    for (name, (_, gone)) in SERVERS.iter().zip(&ends) {
        topology.host(name).netns().ip(gone).unwrap();
    }
    failures
}

#[test]
#[ignore = "in the guest: SCTP, tunnel devices"]
fn sctp_of_the_kernel_goes_through_the_director_in_every_method() {
    const PORT: u16 = 3868;
    devices::demand(&[Device::Sctp, Device::Link("ipip")]);
    let topology = Topology::manual(Offload::Prepared).unwrap();
    let services = Services { sctp: vec![PORT], ..Services::default() };
    let web = topology.serve(&services).unwrap();
    let cluster = Cluster::with(topology, web, Mode::Native);
    for (name, rip) in DR.servers {
        let line = format!("link add end type ipip local {rip}");
        cluster.topology.host(name).netns().ip(&[&line, "link set end up"]).unwrap();
    }
    for (way, flag) in [(NAT, "-m"), (DR, "-g"), (DR, "-i")] {
        let service = way.service("--sctp-service", PORT);
        cluster.director.ipvsadm(&format!("-A {service} -s rr")).unwrap();
        for (_, rip) in way.servers {
            cluster.director.ipvsadm(&format!("-a {service} -r {rip}:{PORT} {flag}")).unwrap();
        }
        cluster.director.wait_until_resolved().unwrap();
        for bytes in [1, 700, 20_000] {
            let split = cluster.client().associations(way.to(PORT), 4, &vec![b'x'; bytes]);
            split.assert_is(&way.split([2, 2]));
        }
        cluster.director.ipvsadm(&format!("-D {service}")).unwrap();
    }
}
