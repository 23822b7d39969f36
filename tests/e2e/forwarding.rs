//! Requests through the director, in DR and NAT, native and generic.

use lvs_tests::prelude::*;

use crate::cluster::{BOTH, Cluster};

/// Sizes of datagrams: none, odd, even, the largest that a link of 1500 bytes takes, and some that come in
/// fragments.
const DATAGRAMS: [usize; 10] = [0, 1, 2, 3, 700, 1401, 1472 - NAME_MAX, 1500, 8000, 60_000];

/// The echo puts its name and a line feed before the answer.
const NAME_MAX: usize = 8;

#[test]
fn wrr_splits_two_hundred_requests_exactly_by_weight_in_native_mode() {
    splits_by_weight(&Cluster::manual(Mode::Native));
}

#[test]
fn wrr_splits_two_hundred_requests_exactly_by_weight_in_generic_mode() {
    splits_by_weight(&Cluster::on(Topology::manual(Offload::Untouched).unwrap(), Mode::Generic));
}

fn splits_by_weight(cluster: &Cluster) {
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s wrr");
        let client = cluster.client();
        client.sequential(way.to(80), 200).assert_is(&way.split([100, 100]));
        cluster.director.ipvsadm(&way.edit("-t", 80, way.servers[0].1, 3)).unwrap();
        client.sequential(way.to(80), 200).assert_is(&way.split([150, 50]));
    }
}

#[test]
fn rr_takes_turns_and_the_default_scheduler_balances() {
    let cluster = Cluster::manual(Mode::Native);
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s rr");
        cluster.client().sequential(way.to(80), 100).assert_is(&way.split([50, 50]));
        let service = way.service("-t", 80);
        cluster.director.ipvsadm(&format!("-D {service}")).unwrap();
        cluster.serve(way, "-t", 80, "");
        let listing = cluster.director.ipvsadm(&format!("-Ln {service}")).unwrap();
        assert!(listing.contains(":80 wlc\n"), "{listing}");
        let names = way.servers.map(|(name, _)| (name, 1));
        cluster.client().sequential(way.to(80), 200).assert_shares(&names, 0.05);
    }
}

#[test]
fn a_thousand_connections_in_native_mode_all_succeed() {
    thousand_connections(&Cluster::manual(Mode::Native));
}

#[test]
fn a_thousand_connections_in_generic_mode_all_succeed() {
    thousand_connections(&Cluster::manual(Mode::Generic));
}

fn thousand_connections(cluster: &Cluster) {
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s wrr");
        let split = cluster.client().parallel(way.to(80), 1000, 8);
        split.assert_shares(&way.servers.map(|(name, _)| (name, 1)), 0.01);
        assert_eq!(split.answered(), 1000);
        let (of_service, reals) = cluster.director.stats(&way.service("-t", 80)).unwrap();
        assert_eq!(of_service.conns, 1000);
        assert_eq!(reals.iter().map(|real| real.conns).sum::<u64>(), 1000);
    }
}

#[test]
fn a_hundred_megabytes_arrive_intact_in_both_directions_in_native_mode() {
    big_transfers(&Cluster::manual(Mode::Native));
}

#[test]
fn a_hundred_megabytes_arrive_intact_in_both_directions_in_generic_mode() {
    big_transfers(&Cluster::manual(Mode::Generic));
}

fn big_transfers(cluster: &Cluster) {
    const SIZE: u64 = 100_000_000;
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s wrr");
        cluster.client().download(way.to(80), SIZE).unwrap();
        assert_eq!(cluster.client().upload(way.to(80), SIZE).unwrap().status(), 200);
        let (stats, _) = cluster.director.stats(&way.service("-t", 80)).unwrap();
        assert!(stats.conns == 2 && stats.in_bytes > SIZE, "{stats:?}");
        // In DR the answers do not pass the director.
        assert_eq!(stats.out_bytes > SIZE, way.flag == "-m", "{stats:?}");
    }
}

#[test]
fn datagrams_of_every_size_are_answered_in_native_mode() {
    datagrams(&Cluster::manual(Mode::Native));
}

#[test]
fn datagrams_of_every_size_are_answered_in_generic_mode() {
    datagrams(&Cluster::on(Topology::manual(Offload::Untouched).unwrap(), Mode::Generic));
}

fn datagrams(cluster: &Cluster) {
    for way in BOTH {
        cluster.serve(way, "-u", 53, "-s rr");
        for size in DATAGRAMS {
            let payload = vec![b'x'; size];
            cluster.client().datagrams(way.to(53), 20, &payload).assert_is(&way.split([10, 10]));
        }
    }
}
