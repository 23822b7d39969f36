//! The data path of health checks: what a program of the director's host sends to a real server's stand-in
//! arrives as a client's packet would, and the service notices nothing.

use std::{fs, net::IpAddr};

use lvs_tests::prelude::*;
use serde_json::Value;

use crate::cluster::{BOTH, Cluster, Way};

/// Stand-ins of a service's real servers, in the order of the way's servers.
fn stand_ins(cluster: &Cluster, way: Way, port: u16) -> [IpAddr; 2] {
    let listed = cluster.director.lvs_ctl("backend list --json").unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let services = listed["services"].as_array().unwrap();
    let entry = services
        .iter()
        .find(|entry| {
            let id = &entry["service"]["id"];
            id.to_string().contains(&way.vip.to_string())
                && id.to_string().contains(&port.to_string())
        })
        .unwrap_or_else(|| panic!("{listed:#}"));
    way.servers.map(|(_, rip)| {
        let dests = entry["dests"].as_array().unwrap();
        let dest = dests.iter().find(|dest| dest["dest"]["addr"]["address"] == rip.to_string());
        let stand_in = &dest.unwrap_or_else(|| panic!("{listed:#}"))["stand_in"];
        stand_in.as_str().unwrap_or_else(|| panic!("{listed:#}")).parse().unwrap()
    })
}

#[test]
fn a_stand_in_is_its_real_server_and_its_service_notices_nothing_in_native_mode() {
    reach(Mode::Native);
}

#[test]
fn a_stand_in_is_its_real_server_and_its_service_notices_nothing_in_generic_mode() {
    reach(Mode::Generic);
}

fn reach(mode: Mode) {
    let cluster = Cluster::manual(mode);
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s rr");
        let before = cluster.director.connections().unwrap().len();
        let here = cluster.topology.host("director").client();
        for ((name, _), stand_in) in way.servers.into_iter().zip(stand_ins(&cluster, way, 80)) {
            here.sequential((stand_in, 80), 20).assert_is(&[(name, 20)]);
            let downloaded = here.download((stand_in, 80), 1_000_000).unwrap();
            assert_eq!((downloaded.server.as_str(), downloaded.bytes), (name, 1_000_000));
            assert_eq!(here.upload((stand_in, 80), 1_000_000).unwrap().status(), 200);
            here.ping(stand_in).unwrap();
        }
        cluster.serve(way, "-u", 53, "-s rr");
        for ((name, _), stand_in) in way.servers.into_iter().zip(stand_ins(&cluster, way, 53)) {
            for size in [0, 1, 700, 1350] {
                here.datagrams((stand_in, 53), 5, &vec![b'x'; size]).assert_is(&[(name, 5)]);
            }
        }
        for service in [way.service("-t", 80), way.service("-u", 53)] {
            let (stats, dests) = cluster.director.stats(&service).unwrap();
            assert_eq!((stats.conns, stats.in_packets, stats.out_packets), (0, 0, 0), "{service}");
            assert!(dests.iter().all(|stats| stats.in_packets == 0), "{dests:?}");
        }
        assert_eq!(cluster.director.connections().unwrap().len(), before);
        // The schedule goes on where it was: the first connection is still the first.
        cluster.client().sequential(way.to(80), 2).assert_is(&way.split([1, 1]));
    }
}

#[test]
fn a_stand_in_outlives_the_controller_and_goes_with_the_data_plane() {
    let mut cluster = Cluster::manual(Mode::Native);
    let way = BOTH[1];
    cluster.serve(way, "-t", 80, "-s rr");
    let before = stand_ins(&cluster, way, 80);
    cluster.director.kill().unwrap();
    cluster.director.run().unwrap();
    cluster.director.wait_until_resolved().unwrap();
    assert_eq!(stand_ins(&cluster, way, 80), before);
    let host = cluster.topology.host("director");
    for ((name, _), stand_in) in way.servers.into_iter().zip(before) {
        host.client().sequential((stand_in, 80), 3).assert_is(&[(name, 3)]);
    }
    let devices = || host.netns().exec(&["ip", "-oneline", "link"]).unwrap();
    assert!(devices().contains("lvs-probe-x"), "{}", devices());
    cluster.director.stop().unwrap();
    cluster.director.detach().unwrap();
    assert!(!devices().contains("lvs-probe"), "{}", devices());
}

#[test]
fn stand_ins_are_of_the_networks_that_the_file_names_unless_somebody_has_those() {
    let mut cluster = Cluster::manual(Mode::Native);
    let way = BOTH[1];
    cluster.serve(way, "-t", 80, "-s rr");
    let reach = |cluster: &Cluster, network: &str| {
        let here = cluster.topology.host("director").client();
        for ((name, _), stand_in) in way.servers.into_iter().zip(stand_ins(cluster, way, 80)) {
            assert!(stand_in.to_string().starts_with(network), "{stand_in}");
            here.sequential((stand_in, 80), 3).assert_is(&[(name, 3)]);
        }
        let status = cluster.director.lvs_ctl("status").unwrap();
        assert!(status.contains(&format!("lvs-probe  {network}")), "{status}");
    };
    reach(&cluster, "198.18.");
    cluster.director.stop().unwrap();
    let named = "[health]\nstand_ins = [\"10.8.0.0/15\", \"fd00:77::/64\"]\n";
    fs::write(cluster.director.config(), named).unwrap();
    cluster.director.run().unwrap();
    cluster.director.wait_until_resolved().unwrap();
    reach(&cluster, "10.8.0.");
    cluster.director.stop().unwrap();
    fs::write(cluster.director.config(), named.replace("10.8", "192.168")).unwrap();
    let refused = format!("{:#}", cluster.director.run().unwrap_err());
    let why = "192.168.0.0/15, of real servers' stand-ins, overlaps 192.168.4.0/24 of eth0";
    assert!(refused.contains(why), "{refused}");
}
