//! Interfaces: large frames, frames for others, interfaces that come and go; and the director as its own
//! real server.

use lvs_tests::prelude::*;

use crate::cluster::{BOTH, Cluster, DR, NAT, SOON, Way};

/// Bytes each way.
const BULK: u64 = 30_000_000;

#[test]
fn a_real_server_on_the_director_is_served_by_its_stack_in_every_method() {
    let cluster = Cluster::manual(Mode::Native);
    let host = cluster.topology.host("director");
    let services = Services { http: vec![80, 81, 82, 83], udp: vec![53], ..Services::default() };
    let _here = Web::start(host, &services).unwrap();
    let vip = DR.vip;
    // Other addresses than the VIP: its stack takes the packets as they are.
    let own = [("-g", "192.168.2.1"), ("-i", "127.0.0.1"), ("-m", "192.168.4.5")];
    for (port, (flag, rip)) in (80_u16..).zip(own) {
        let service = format!("-t {vip}:{port}");
        cluster.director.ipvsadm(&format!("-A {service} -s rr")).unwrap();
        cluster.director.ipvsadm(&format!("-a {service} -r {rip}:{port} {flag}")).unwrap();
        cluster.director.wait_until_resolved().unwrap();
        cluster.client().sequential((vip, port), 10).assert_is(&[("director", 10)]);
        let (stats, _) = cluster.director.stats(&service).unwrap();
        assert!(stats.conns == 10 && stats.in_packets > 30 && stats.out_packets == 0, "{stats:?}");
    }
    // Beside another one.
    let (name, rip) = DR.servers[0];
    cluster.director.ipvsadm(&DR.add("-t", 80, rip, 1)).unwrap();
    cluster.director.wait_until_resolved().unwrap();
    cluster.client().sequential(DR.to(80), 20).assert_is(&[("director", 10), (name, 10)]);
    assert!(cluster.director.status().unwrap().reason("local").unwrap() > 90);
    // The listing names the method as it was given.
    let listing = cluster.director.ipvsadm("-Ln").unwrap();
    assert!(listing.contains("127.0.0.1:81                 Tunnel"), "{listing}");
    let shown = cluster.director.lvs_ctl("status").unwrap();
    assert!(shown.contains("local: the director itself"), "{shown}");
}

#[test]
fn nat_to_another_port_of_the_director_is_refused_and_counted() {
    let cluster = Cluster::manual(Mode::Native);
    let service = NAT.service("-u", 53);
    cluster.director.ipvsadm(&format!("-A {service} -s rr")).unwrap();
    cluster.director.ipvsadm(&format!("-a {service} -r {}:5353 -m", NAT.vip)).unwrap();
    cluster.director.wait_until_resolved().unwrap();
    say(&cluster, NAT, 53);
    counted(&cluster, "local_port");
    assert_eq!(cluster.director.connections().unwrap().len(), 0);
}

#[test]
fn a_frame_for_another_host_opens_no_connection() {
    let cluster = Cluster::manual(Mode::Native);
    cluster.serve(DR, "-u", 53, "-s rr");
    // The switch does not know the address, so everybody gets the frame.
    let client = cluster.topology.host("client").netns();
    let stranger = "02:00:00:00:00:99";
    client
        .ip(&[format!("neigh replace {} lladdr {stranger} dev eth0 nud permanent", DR.vip)])
        .unwrap();
    say(&cluster, DR, 53);
    counted(&cluster, "not_host");
    assert_eq!(cluster.director.connections().unwrap().len(), 0);
    // A second address of the director's, as a VRRP router's is, is its own.
    let host = cluster.topology.host("director").netns();
    host.ip(&[
        "link add vrrp1 type veth peer name vrrp1-peer",
        "link set vrrp1 address 02:00:00:00:00:99",
    ])
    .unwrap();
    cluster
        .director
        .wait_for_status("the datagram opens a connection", |_| {
            say(&cluster, DR, 53);
            (cluster.director.connections().unwrap().len() == 1).then_some(())
        })
        .unwrap();
}

/// One datagram from one port of the client's, whatever becomes of it.
fn say(cluster: &Cluster, way: Way, port: u16) {
    let line = format!("echo x | exec nc -u -q 0 -p 5555 {} {port}", way.vip);
    let bash = format!("exec 3<>/dev/udp/{}/{port}; echo x >&3", way.vip);
    let client = cluster.topology.host("client").netns();
    if client.exec(&["bash", "-c", &bash]).is_err() {
        client.exec(&["sh", "-c", &line]).unwrap();
    }
}

/// Waits until a packet has been counted for the reason.
fn counted(cluster: &Cluster, reason: &str) {
    let seen = |status: &Status| (status.reason(reason).ok()? > 0).then_some(());
    cluster.director.wait_for_status(reason, seen).unwrap();
}

#[test]
fn jumbo_frames_go_through_in_native_mode() {
    jumbo(Mode::Native);
}

#[test]
fn jumbo_frames_go_through_in_generic_mode() {
    jumbo(Mode::Generic);
}

/// Frames of 9 000 bytes lie in three buffers.
fn jumbo(mode: Mode) {
    let topology = Topology::manual(Offload::Prepared).unwrap();
    for host in topology.hosts() {
        for (interface, switch) in host.interfaces().iter().zip(switches(host)) {
            let port = format!("{}.{interface}", host.name());
            topology.switch(switch).ip(&[format!("link set {port} mtu 9000")]).unwrap();
            host.netns().ip(&[format!("link set {interface} mtu 9000")]).unwrap();
        }
    }
    let cluster = Cluster::on(topology, mode);
    for interface in ["eth0", "eth1"] {
        let status = cluster.director.status().unwrap();
        assert_eq!(status.mode(interface).unwrap().0, mode.to_string());
    }
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s wrr");
        cluster.serve(way, "-u", 53, "-s rr");
        for size in [3400, 3600, 8000, 8964] {
            let payload = vec![b'x'; size];
            cluster.client().datagrams(way.to(53), 4, &payload).assert_is(&way.split([2, 2]));
        }
        cluster.client().download(way.to(80), BULK).unwrap();
        assert_eq!(cluster.client().upload(way.to(80), BULK).unwrap().status(), 200);
        let (stats, _) = cluster.director.stats(&way.service("-t", 80)).unwrap();
        let mean = BULK / stats.in_packets;
        assert!(mode == Mode::Generic || mean > 3000, "{mean} bytes a packet: {stats:?}");
    }
}

/// The switches that a host's interfaces are plugged into.
fn switches(host: &Host) -> [&'static str; 2] {
    if host.name().starts_with("nat-") { ["lan2", "lan2"] } else { ["lan4", "lan2"] }
}

#[test]
fn an_interface_that_goes_away_and_comes_back_carries_the_program_again() {
    let cluster = Cluster::manual(Mode::Native);
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s wrr");
    }
    let host = cluster.topology.host("director").netns();
    let lan2 = cluster.topology.switch("lan2");
    for _ in 0..2 {
        lan2.ip(&["link del director.eth1"]).unwrap();
        wait_for_mode(&cluster, "eth1", "none");
        cluster.client().sequential(DR.to(80), 10).assert_is(&DR.split([5, 5]));
        lan2.ip(&[
            format!("link add director.eth1 type veth peer name eth1 netns {}", host.name()),
            "link set director.eth1 master br0 up".to_owned(),
        ])
        .unwrap();
        lan2.run(|| Offload::Prepared.apply("director.eth1")).unwrap();
        wait_for_mode(&cluster, "eth1", "native");
        host.ip(&["addr add 192.168.2.1/24 dev eth1", "link set eth1 up"]).unwrap();
        cluster.director.wait_until_resolved().unwrap();
        let answers = || {
            let split = cluster.client().sequential(NAT.to(80), 2);
            (split.answered() == 2).then_some(())
        };
        // The switch lets frames through a moment after its port is up.
        eventually("NAT works again", SOON, answers).unwrap();
        cluster.client().sequential(NAT.to(80), 10).assert_is(&NAT.split([5, 5]));
    }
}

fn wait_for_mode(cluster: &Cluster, interface: &str, mode: &str) {
    let is_so = |status: &Status| (status.mode(interface).ok()?.0 == mode).then_some(());
    cluster.director.wait_for_status(&format!("{interface} is {mode}"), is_so).unwrap();
}

#[test]
fn an_interface_that_appears_later_carries_the_program_then() {
    let cluster = Cluster::told(|_, settings| settings.interfaces.push("later".to_owned()));
    wait_for_mode(&cluster, "later", "none");
    let host = cluster.topology.host("director").netns();
    host.ip(&["link add later type veth peer name later-peer"]).unwrap();
    wait_for_mode(&cluster, "later", "native");
    let refused = cluster.director.shell("lvs-ctl --socket two run --interface never").unwrap();
    assert!(refused.stderr.contains("there is no interface never"), "{refused}");
}

#[test]
fn a_way_over_a_bridge_is_reported_where_native_frames_cannot_take_it() {
    let cluster = Cluster::manual(Mode::Native);
    let host = cluster.topology.host("director").netns();
    host.ip(&[
        "link add br9 type bridge",
        "link add p9 type veth peer name q9",
        "link set p9 master br9 up",
        "link set q9 up",
        "addr add 10.9.9.1/24 dev br9",
        "link set br9 up",
        "neigh replace 10.9.9.2 lladdr 02:00:00:00:00:09 dev br9 nud permanent",
    ])
    .unwrap();
    cluster.director.ipvsadm(&format!("-A {} -s rr", DR.service("-t", 80))).unwrap();
    cluster.director.ipvsadm(&format!("-a {} -r 10.9.9.2 -g", DR.service("-t", 80))).unwrap();
    let why = "br9 is a bridge, which takes no frames from native XDP";
    let told = |status: &Status| {
        let said = status.unresolved("10.9.9.2".parse::<std::net::IpAddr>().ok()?).ok()??;
        said.contains(why).then_some(())
    };
    cluster.director.wait_for_status(why, told).unwrap();
}
