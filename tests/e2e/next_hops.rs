//! Ways to real servers: unknown, found, changed, gone.

use std::time::Duration;

use lvs_tests::prelude::*;

use crate::cluster::{BOTH, Cluster, DR, NAT, SOON, Way};

#[test]
fn a_real_server_that_is_not_there_is_reported_and_counted_and_served_once_it_appears() {
    let cluster = Cluster::manual(Mode::Native);
    for way in BOTH {
        let (name, rip) = way.servers[0];
        let late = cluster.topology.host(name).netns();
        late.ip(&[format!("addr del {rip}/24 dev eth0")]).unwrap();
        let service = way.service("-t", 80);
        cluster.director.ipvsadm(&format!("-A {service} -s rr")).unwrap();
        cluster.director.ipvsadm(&way.add("-t", 80, rip, 1)).unwrap();
        let seen = cluster.director.wait_for_status("it is reported", |status| {
            status.unresolved(rip).ok().flatten().map(str::to_owned)
        });
        assert!(!seen.unwrap().is_empty());
        let before = cluster.director.status().unwrap().reason("no_next_hop").unwrap();
        let hasty = cluster.client().timeout(Duration::from_millis(200));
        hasty.get(way.to(80), "/").unwrap_err();
        assert!(cluster.director.status().unwrap().reason("no_next_hop").unwrap() > before);
        let mut lines = vec![format!("addr add {rip}/24 dev eth0")];
        if way.flag == "-m" {
            // It went with the address.
            lines.push(format!("route add default via {}", layout::NAT_GATEWAY));
        }
        late.ip(&lines).unwrap();
        cluster.director.wait_until_resolved().unwrap();
        cluster.client().sequential(way.to(80), 5).assert_is(&[(name, 5)]);
    }
}

#[test]
fn packets_follow_a_real_server_to_a_new_mac_address() {
    const MAC: &str = "02:00:00:00:00:77";
    let cluster = Cluster::manual(Mode::Native);
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s rr");
        let (name, rip) = way.servers[1];
        let host = cluster.topology.host(name);
        host.netns().sysctl("net.ipv4.conf.eth0.arp_notify", "1").unwrap();
        host.netns().ip(&[format!("link set eth0 address {MAC}")]).unwrap();
        cluster
            .director
            .wait_for_status("the new address is known", |status| {
                (status.mac(rip).ok().flatten() == Some(MAC)).then_some(())
            })
            .unwrap();
        cluster.client().sequential(way.to(80), 10).assert_is(&way.split([5, 5]));
    }
}

#[test]
fn forwarding_stops_and_comes_back_with_the_link() {
    let cluster = Cluster::manual(Mode::Native);
    cluster.serve(NAT, "-t", 80, "-s rr");
    cluster.serve(DR, "-t", 80, "-s rr");
    let host = cluster.topology.host("director").netns();
    host.ip(&["link set eth1 down"]).unwrap();
    for (_, rip) in NAT.servers {
        cluster
            .director
            .wait_for_status("the way is gone", |status| status.unresolved(rip).ok()?.map(drop))
            .unwrap();
    }
    asks(&cluster, DR);
    host.ip(&["link set eth1 up"]).unwrap();
    cluster.director.wait_until_resolved().unwrap();
    asks(&cluster, NAT);
    // The far side's link.
    let (name, rip) = DR.servers[0];
    let far = cluster.topology.host(name).netns();
    far.ip(&["link set eth0 down"]).unwrap();
    far.ip(&["link set eth0 up"]).unwrap();
    far.wait_until_up().unwrap();
    let answered = || cluster.client().ping(rip).ok();
    eventually("it answers again", SOON, answered).unwrap();
    cluster.director.wait_until_resolved().unwrap();
    asks(&cluster, DR);
}

fn asks(cluster: &Cluster, way: Way) {
    cluster.client().sequential(way.to(80), 10).assert_is(&way.split([5, 5]));
}
