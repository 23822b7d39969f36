//! TUN: real requests through tunnels of every type. The real servers take packets out in user space, so that
//! it does not matter which tunnel devices this kernel has.

use lvs_tests::{prelude::*, tunnel::GUE_PORT};

use crate::cluster::{Cluster, DR, Way};

/// As `ipvsadm -a` takes them.
const TYPES: [&str; 6] = [
    "-i",
    "-i --tun-type gue --tun-port 5555",
    "-i --tun-type gue --tun-port 5555 --tun-csum",
    "-i --tun-type gue --tun-port 5555 --tun-remcsum",
    "-i --tun-type gre",
    "-i --tun-type gre --tun-csum",
];

/// Each way on ports of its own.
fn ways() -> impl Iterator<Item = (u16, Way)> {
    (80..).zip(TYPES.map(|flag| Way { flag, ..DR }))
}

fn ends(topology: &Topology) -> Vec<TunnelEnd> {
    // Who takes packets out in user space wants them one by one and with whole checksums: the switch is
    // not to merge segments where it receives them from the director.
    topology.switch("lan4").ip(&["link set director.eth0 gro_max_size 1500"]).unwrap();
    let servers = DR.servers.iter();
    servers.map(|(name, _)| TunnelEnd::start(topology.host(name)).unwrap()).collect()
}

#[test]
fn requests_go_through_tunnels_of_every_type_in_native_mode() {
    requests(Mode::Native);
}

#[test]
fn requests_go_through_tunnels_of_every_type_in_generic_mode() {
    requests(Mode::Generic);
}

fn requests(mode: Mode) {
    assert_eq!(GUE_PORT, 5555);
    // Whoever takes packets out in user space wants their checksums whole.
    let topology = Topology::dr(Offload::Prepared).unwrap();
    // A fragment that is too long with its outer header is the stack's to cut and to forward.
    topology.host("director").netns().sysctl("net.ipv4.ip_forward", "1").unwrap();
    let ends = ends(&topology);
    let web: Vec<_> = DR
        .servers
        .iter()
        .map(|(name, _)| {
            let http = ways().map(|(port, _)| port).collect();
            let udp = ways().map(|(port, _)| port).collect();
            Web::start(topology.host(name), &Services { http, udp, ..Services::default() }).unwrap()
        })
        .collect();
    let cluster = Cluster::with(topology, web, mode);
    for (port, way) in ways() {
        cluster.serve(way, "-t", port, "-s rr");
        cluster.serve(way, "-u", port, "-s rr");
        let client = cluster.client();
        client.sequential(way.to(port), 40).assert_is(&way.split([20, 20]));
        for size in [0, 1, 700, 1401, 8000, 60_000] {
            let payload = vec![b'x'; size];
            client.datagrams(way.to(port), 10, &payload).assert_is(&way.split([5, 5]));
        }
        let downloaded = client.download(way.to(port), 3_000_000).unwrap();
        assert_eq!(downloaded.bytes, 3_000_000, "{}", way.flag);
    }
    for end in ends {
        assert_eq!(end.complaints(), "");
    }
    let listing = cluster.director.ipvsadm("-Ln -t 192.168.4.15:82 --tun-info").unwrap();
    assert!(listing.contains("Tunnel  gue:5555:+c"), "{listing}");
}

#[test]
fn large_uploads_fit_through_tunnels_on_links_of_1500_bytes_without_tuning() {
    let topology = Topology::dr(Offload::Prepared).unwrap();
    let ends = ends(&topology);
    let cluster = Cluster::on(topology, Mode::Native);
    for flag in TYPES {
        let way = Way { flag, ..DR };
        // What a client has learnt of the path to the VIP it would remember for the next tunnel.
        cluster.topology.host("client").netns().ip(&["route flush cache"]).unwrap();
        cluster.serve(way, "-t", 80, "-s rr");
        let before = told(&cluster);
        for _ in way.servers {
            assert_eq!(cluster.client().upload(way.to(80), 5_000_000).unwrap().status(), 200);
        }
        assert!(told(&cluster) > before, "{flag}: nobody was told of the tunnel's MTU");
        cluster.director.ipvsadm(&format!("-D {}", way.service("-t", 80))).unwrap();
    }
    for end in ends {
        assert_eq!(end.complaints(), "");
    }
}

/// Packets so far that were too long.
fn told(cluster: &Cluster) -> u64 {
    cluster.director.status().unwrap().reason("over_mtu").unwrap_or(0)
}
