//! Every frame that the director sent, judged by somebody else.

use lvs_tests::{capture, prelude::*};

use crate::cluster::{BOTH, Cluster};

#[test]
fn frames_forwarded_in_native_mode_are_without_fault() {
    are_without_fault(&Cluster::manual(Mode::Native));
}

#[test]
fn frames_forwarded_in_generic_mode_are_without_fault() {
    are_without_fault(&Cluster::on(Topology::manual(Offload::Untouched).unwrap(), Mode::Generic));
}

fn are_without_fault(cluster: &Cluster) {
    for way in BOTH {
        cluster.serve(way, "-t", 80, "-s rr");
        cluster.serve(way, "-t", 3306, "-s rr");
        cluster.serve(way, "-u", 53, "-s rr");
    }
    let hosts: Vec<_> = ["client"]
        .into_iter()
        .chain(BOTH.iter().flat_map(|way| way.servers.map(|(name, _)| name)))
        .map(|name| cluster.topology.host(name))
        .collect();
    let captures: Vec<_> =
        hosts.iter().map(|host| Capture::start(host.netns(), "eth0").unwrap()).collect();
    for way in BOTH {
        let client = cluster.client();
        client.sequential(way.to(80), 4).assert_is(&way.split([2, 2]));
        for size in [1_usize, 2, 3, 1399, 1400] {
            let payload = vec![b'x'; size];
            client.datagrams(way.to(53), 2, &payload).assert_is(&way.split([1, 1]));
            for _ in 0..2 {
                client.tcp_echo(way.to(3306), &payload).unwrap();
            }
        }
        for _ in 0..2 {
            client.download(way.to(80), 300_000).unwrap();
            client.upload(way.to(80), 300_000).unwrap();
        }
    }
    for (host, capture) in hosts.iter().zip(captures) {
        let frames = capture.stop().unwrap();
        let received = frames.iter().filter(|frame| !frame.is_sent()).count();
        assert!(received > 50, "{}: {received} frames received", host.name());
        let file = cluster.topology.lab().directory().join(format!("{}.pcap", host.name()));
        frames.save(&file).unwrap();
        assert_eq!(capture::faults(&file).unwrap(), Vec::<String>::new(), "at {}", host.name());
    }
}
