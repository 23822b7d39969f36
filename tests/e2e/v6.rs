//! IPv6: real requests through the director in DR and NAT, native and generic; and a real server behind
//! a router that is known by its link-local address only.
//!
//! ```text
//!  client ::10 ──┐                                              ┌── nat-100, nat-200
//!                ├─ lan4 fd00:4:: ─ director ─ lan2 fd00:2:: ───┤
//!  dr-100, dr-200┘                                              └── router fe80::fe ─ lan9 fd00:9:: ── far
//! ```

use std::net::{Ipv6Addr, SocketAddr};

use lvs_tests::prelude::*;

/// A service's VIP, its real servers' names and addresses, and their method as `ipvsadm -a` takes it.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) flag: &'static str,
    pub(crate) vip: Ipv6Addr,
    pub(crate) servers: [(&'static str, Ipv6Addr); 2],
}

pub(crate) const CLIENT: Ipv6Addr = at(4, 0x10);
pub(crate) const NAT: Way = Way {
    flag: "-m",
    vip: at(4, 0x5),
    servers: [("nat-100", at(2, 0x100)), ("nat-200", at(2, 0x200))],
};
pub(crate) const DR: Way = Way {
    flag: "-g",
    vip: at(4, 0x15),
    servers: [("dr-100", at(4, 0x100)), ("dr-200", at(4, 0x200))],
};
/// The one that is reached through a router.
const FAR: Ipv6Addr = at(9, 0x100);

const fn at(network: u16, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, network, 0, 0, 0, 0, 0, host)
}

/// Sizes of datagrams: none, odd, even, the largest that a link of 1500 bytes takes, and some that come in
/// fragments.
const DATAGRAMS: [usize; 9] = [0, 1, 2, 701, 1400, 1452 - NAME_MAX, 1500, 8000, 60_000];

/// The echo puts its name and a line feed before the answer.
const NAME_MAX: usize = 8;

/// Dropped in this order.
pub(crate) struct Cluster {
    _web: Vec<Web>,
    pub(crate) director: Director,
    pub(crate) topology: Topology,
}

impl Cluster {
    pub(crate) fn new(mode: Mode) -> Self {
        let topology = topology();
        let names = ["nat-100", "nat-200", "dr-100", "dr-200", "far"];
        let web = names.map(|name| Web::start(topology.host(name), &Services::usual()).unwrap());
        let director = Director::start(topology.host("director"), mode).unwrap();
        Self { _web: web.into(), director, topology }
    }

    fn client(&self) -> Client<'_> {
        self.topology.host("client").client()
    }

    pub(crate) fn serve(&self, way: Way, kind: &str, port: u16) {
        let service = format!("{kind} [{}]:{port}", way.vip);
        self.director.ipvsadm(&format!("-A {service} -s rr")).unwrap();
        for (_, rip) in way.servers {
            let line = format!("-a {service} -r [{rip}]:{port} {}", way.flag);
            self.director.ipvsadm(&line).unwrap();
        }
        self.director.wait_until_resolved().unwrap();
    }
}

fn topology() -> Topology {
    let link = |interface, switch, addresses: &[Ipv6Addr]| {
        let link = LinkPlan::new(interface, switch).offload(Offload::Prepared);
        addresses.iter().fold(link, |link, address| link.address(&format!("{address}/64")))
    };
    let forwards = |host: HostPlan| host.sysctl("net.ipv6.conf.all.forwarding", "1");
    let via = |host: HostPlan, gateway| host.route(&format!("default via {gateway}"));
    let director = HostPlan::new("director")
        .link(link("eth0", "lan4", &[NAT.vip]).address(&format!("{}/128", DR.vip)))
        .link(link("eth1", "lan2", &[at(2, 1)]))
        .route("fd00:9::/64 via fe80::fe dev eth1");
    let router = HostPlan::new("router")
        .link(link("eth0", "lan2", &[]).address("fe80::fe/64"))
        .link(link("eth1", "lan9", &[at(9, 1)]))
        .route(&format!("default via {} dev eth0 onlink", at(2, 1)));
    let router = router.route("fd00:2::/64 dev eth0");
    let mut plan = Plan::new()
        .switch("lan4")
        .switch("lan2")
        .switch("lan9")
        .host(HostPlan::new("client").link(link("eth0", "lan4", &[CLIENT])))
        .host(forwards(director))
        .host(forwards(router))
        .host(via(HostPlan::new("far").link(link("eth0", "lan9", &[FAR])), at(9, 1)));
    for (name, rip) in NAT.servers {
        plan = plan.host(via(HostPlan::new(name).link(link("eth0", "lan2", &[rip])), at(2, 1)));
    }
    for (name, rip) in DR.servers {
        // Nobody asks for an address on `lo` by neighbour discovery.
        let host = HostPlan::new(name).link(link("eth0", "lan4", &[rip]));
        plan = plan.host(host.loopback(&format!("{}/128", DR.vip)));
    }
    plan.build().unwrap()
}

#[test]
fn requests_and_datagrams_of_ipv6_are_split_in_native_mode() {
    splits(Mode::Native);
}

#[test]
fn requests_and_datagrams_of_ipv6_are_split_in_generic_mode() {
    splits(Mode::Generic);
}

fn splits(mode: Mode) {
    const SIZE: u64 = 20_000_000;
    let cluster = Cluster::new(mode);
    for way in [NAT, DR] {
        let [(first, _), (second, _)] = way.servers;
        let half = |count| [(first, count), (second, count)];
        let to = |port| SocketAddr::from((way.vip, port));
        cluster.serve(way, "-t", 80);
        let client = cluster.client();
        client.sequential(to(80), 100).assert_is(&half(50));
        client.download(to(80), SIZE).unwrap();
        assert_eq!(client.upload(to(80), SIZE).unwrap().status(), 200);
        cluster.serve(way, "-u", 53);
        for size in DATAGRAMS {
            client.datagrams(to(53), 10, &vec![b'x'; size]).assert_is(&half(5));
        }
        let (stats, _) = cluster.director.stats(&format!("-t [{}]:80", way.vip)).unwrap();
        assert_eq!(stats.conns, 102);
        assert!(stats.in_bytes > SIZE, "{stats:?}");
        assert_eq!(stats.out_bytes > SIZE, way.flag == "-m", "{stats:?}");
    }
    let listed = cluster.director.ipvsadm("-Lnc").unwrap();
    let line = format!("[{}]:80", NAT.vip);
    assert!(listed.lines().any(|listed| listed.contains(&line)), "{listed}");
}

#[test]
fn a_real_server_is_reached_by_its_routers_link_local_address() {
    let cluster = Cluster::new(Mode::Native);
    let way = Way { servers: [("far", FAR), ("nat-100", NAT.servers[0].1)], ..NAT };
    cluster.serve(way, "-t", 80);
    let to = SocketAddr::from((way.vip, 80));
    cluster.client().sequential(to, 20).assert_is(&[("far", 10), ("nat-100", 10)]);
}

#[test]
fn connections_of_ipv6_outlive_the_controller() {
    let mut cluster = Cluster::new(Mode::Native);
    cluster.serve(NAT, "-t", 3306);
    let to = SocketAddr::from((NAT.vip, 3306));
    let before = cluster.director.ipvsadm("-Ln").unwrap();
    cluster.director.kill().unwrap();
    cluster.client().tcp_echo(to, b"without a controller").unwrap();
    cluster.director.run().unwrap();
    cluster.director.wait_until_resolved().unwrap();
    cluster.client().tcp_echo(to, b"with another one").unwrap();
    let listed = cluster.director.ipvsadm("-Lnc").unwrap();
    assert_eq!(listed.matches(&format!("[{}]:3306", NAT.vip)).count(), 2, "{listed}");
    let shape = |listing: &str| {
        listing.lines().map(|l| l[..l.len().min(40)].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shape(&cluster.director.ipvsadm("-Ln").unwrap()), shape(&before));
}
