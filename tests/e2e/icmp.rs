//! ICMP errors through the director.

use lvs_tests::prelude::*;

use crate::cluster::{BOTH, Cluster, NAT};

/// A port that no real server has open.
const CLOSED: u16 = 5353;

#[test]
fn in_nat_a_closed_port_refuses_in_the_vips_name_in_native_mode() {
    refuses(Mode::Native);
}

#[test]
fn in_nat_a_closed_port_refuses_in_the_vips_name_in_generic_mode() {
    refuses(Mode::Generic);
}

fn refuses(mode: Mode) {
    let cluster = Cluster::manual(mode);
    cluster.serve(NAT, "-u", CLOSED, "-s rr");
    // A connected socket hears only of errors about its own packets: from here to the VIP.
    for _ in 0..2 {
        let error = cluster.client().udp(NAT.to(CLOSED), b"anybody?").unwrap_err();
        assert!(format!("{error:#}").contains("Connection refused"), "{error:#}");
    }
    let stats = cluster.director.ipvsadm("-Ln --stats -u 192.168.4.5:5353").unwrap();
    let counts: Vec<_> = stats.lines().nth(2).unwrap().split_whitespace().skip(2).collect();
    // Two datagrams of 36 bytes, and a word of 64 about each.
    assert_eq!(counts, ["2", "2", "2", "72", "128"], "{stats}");
}

#[test]
fn without_a_real_server_clients_are_refused_at_once() {
    for mode in [Mode::Native, Mode::Generic] {
        let cluster = Cluster::manual(mode);
        for way in BOTH {
            for kind in ["-t", "-u"] {
                let service = way.service(kind, CLOSED);
                cluster.director.ipvsadm(&format!("-A {service} -s rr")).unwrap();
            }
            let client = cluster.client();
            let errors = [
                client.connect(way.to(CLOSED)).unwrap_err(),
                client.udp(way.to(CLOSED), b"anybody?").unwrap_err(),
            ];
            for error in errors {
                assert!(format!("{error:#}").contains("Connection refused"), "{error:#}");
            }
        }
    }
}
