//! ICMP errors through the director.

use lvs_tests::prelude::*;

use crate::cluster::{Cluster, NAT};

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
