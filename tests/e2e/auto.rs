//! `--mode auto`: forwards out of the box, natively where that works, and says why.

use lvs_tests::{director::Settings, netns::Netns, offload, prelude::*};

use crate::cluster::{BOTH, Cluster, DR, NAT, Way};

/// Bytes each way: far more than one window, so that a transfer which only crawls is not mistaken
/// for one that works.
const BULK: u64 = 20_000_000;

#[test]
fn nat_with_two_interfaces_works_on_fresh_veth_pairs() {
    works_untouched(&Cluster::on(Topology::nat(Offload::Untouched).unwrap(), Mode::Auto), NAT);
}

#[test]
fn nat_with_one_interface_works_on_fresh_veth_pairs() {
    let topology = Topology::nat_one_arm(Offload::Untouched).unwrap();
    works_untouched(&Cluster::on(topology, Mode::Auto), NAT);
}

#[test]
fn dr_with_one_interface_works_on_fresh_veth_pairs() {
    works_untouched(&Cluster::on(Topology::dr(Offload::Untouched).unwrap(), Mode::Auto), DR);
}

/// What the generic hook cannot do is send a merged segment, as fresh veth pairs carry them, out of
/// another interface: it is lost, and sent again in pieces. A transfer to the real server crawls until
/// the director's peers send segments as they are to be.
#[test]
fn dr_with_two_interfaces_answers_on_fresh_veth_pairs_and_takes_uploads_once_the_advice_is_followed()
 {
    let topology = Topology::dr_two_arm(Offload::Untouched).unwrap();
    let cluster = Cluster::on(topology, Mode::Auto);
    let inside = [0, 1].map(|at| (DR.servers[at].0, NAT.servers[at].1));
    let way = Way { servers: inside, ..DR };
    answers(&cluster, way);
    cluster.client().download(way.to(80), BULK).unwrap();
    follow_the_advice(&cluster.topology);
    cluster.client().upload(way.to(80), BULK).unwrap();
    cluster.client().download(way.to(80), BULK).unwrap();
}

fn works_untouched(cluster: &Cluster, way: Way) {
    answers(cluster, way);
    // Twice, so that each real server has its turn.
    for _ in 0..2 {
        cluster.client().download(way.to(80), BULK).unwrap();
        cluster.client().upload(way.to(80), BULK).unwrap();
    }
}

fn answers(cluster: &Cluster, way: Way) {
    for interface in cluster.topology.host("director").interfaces() {
        let status = cluster.director.status().unwrap();
        let (mode, why) = status.mode(interface).unwrap();
        assert_eq!(mode, "generic");
        assert!(why.contains(&format!("ethtool -K director.{interface} gro on tx off")), "{why}");
    }
    cluster.serve(way, "-t", 80, "-s wrr");
    cluster.serve(way, "-u", 53, "-s wrr");
    let client = cluster.client();
    client.sequential(way.to(80), 20).assert_is(&way.split([10, 10]));
    client.datagrams(way.to(53), 20, b"who?").assert_is(&way.split([10, 10]));
}

#[test]
fn a_peer_in_sight_that_is_prepared_gets_native_mode_and_one_that_is_not_the_command_to_prepare_it()
{
    let topology = Topology::dr(Offload::Untouched).unwrap();
    let host = topology.host("director");
    peers(host.netns(), "prepared");
    peers(host.netns(), "fresh");
    host.netns().run(|| Offload::Prepared.apply("prepared-peer")).unwrap();
    let interfaces = ["prepared", "fresh"].map(str::to_owned).to_vec();
    let settings = Settings { interfaces, ..Settings::new(host, Mode::Auto) };
    let director = Director::start_with(host, settings).unwrap();
    let status = director.status().unwrap();
    let (mode, why) = status.mode("prepared").unwrap();
    assert_eq!(mode, "native");
    assert!(why.contains("prepared-peer has NAPI on and finishes checksums"), "{why}");
    let (mode, why) = status.mode("fresh").unwrap();
    assert_eq!(mode, "generic");
    assert!(why.contains("ethtool -K fresh-peer gro on tx off"), "{why}");
    assert_eq!(hook(host.netns(), "prepared"), "xdp");
    assert_eq!(hook(host.netns(), "fresh"), "xdpgeneric");
}

/// A veth pair with both ends in the namespace.
fn peers(netns: &Netns, name: &str) {
    netns
        .ip(&[
            format!("link add {name} type veth peer name {name}-peer"),
            format!("link set {name} up"),
            format!("link set {name}-peer up"),
        ])
        .unwrap();
}

/// The word by which `ip link` shows a program.
fn hook(netns: &Netns, interface: &str) -> String {
    let shown = netns.exec(&["ip", "-oneline", "link", "show", "dev", interface]).unwrap();
    let word = shown.split_whitespace().find(|word| word.starts_with("xdp"));
    word.unwrap_or_default().to_owned()
}

#[test]
fn following_the_advice_brings_a_director_to_native_mode() {
    let mut cluster = Cluster::on(Topology::manual(Offload::Untouched).unwrap(), Mode::Auto);
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s wrr");
    }
    follow_the_advice(&cluster.topology);
    cluster.director.stop().unwrap();
    cluster.director.settings().mode = Mode::Native;
    cluster.director.run().unwrap();
    for interface in ["eth0", "eth1"] {
        assert_eq!(cluster.director.status().unwrap().mode(interface).unwrap().0, "native");
        assert_eq!(hook(cluster.topology.host("director").netns(), interface), "xdp");
    }
    cluster.director.wait_until_resolved().unwrap();
    for way in BOTH {
        cluster.client().sequential(way.to(80), 20).assert_is(&way.split([10, 10]));
        cluster.client().upload(way.to(80), BULK).unwrap();
    }
}

/// `ethtool -K … gro on tx off` at the switch's ports to the director.
fn follow_the_advice(topology: &Topology) {
    for (switch, port) in [("lan4", "director.eth0"), ("lan2", "director.eth1")] {
        let switch = topology.switch(switch);
        switch.run(|| Offload::Prepared.apply(port)).unwrap();
        assert!(!switch.run(|| offload::is_on(port, offload::Feature::TxChecksum)).unwrap());
    }
}
