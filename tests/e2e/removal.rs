//! Real servers that are taken out, or given no more, while they have connections.

use std::time::Duration;

use lvs_tests::prelude::*;

use crate::{
    cluster::{BOTH, Cluster},
    talk::Talk,
};

#[test]
fn a_removed_real_servers_packets_are_dropped_until_it_is_added_again() {
    let cluster = Cluster::manual(Mode::Native);
    for way in BOTH {
        cluster.serve(way, "-t", 3306, "-s rr");
        let (name, rip) = way.servers[0];
        let mut talk = Talk::with(&cluster, way, name);
        talk.say(b"one");
        let service = way.service("-t", 3306);
        cluster.director.ipvsadm(&format!("-d {service} -r {rip}:3306")).unwrap();
        let before = cluster.director.status().unwrap().reason("dest_removed").unwrap();
        talk.ask(b"two");
        cluster
            .director
            .wait_for_status("the packet is counted", |status| {
                (status.reason("dest_removed").ok()? > before).then_some(())
            })
            .unwrap();
        talk.hears_nothing_for(Duration::from_millis(50));
        // Nobody else gets it; new connections go to the other one.
        let other = cluster.client().tcp_echo(way.to(3306), b"!").unwrap();
        assert_eq!(other, way.servers[1].0);
        cluster.director.ipvsadm(&way.add("-t", 3306, rip, 1)).unwrap();
        talk.hear(b"two");
        talk.say(b"three");
    }
}

#[test]
fn weight_zero_keeps_the_connections_there_are_and_takes_no_new_one() {
    let cluster = Cluster::manual(Mode::Native);
    for way in BOTH {
        cluster.serve(way, "-t", 3306, "-s wrr");
        let (name, rip) = way.servers[0];
        let mut talk = Talk::with(&cluster, way, name);
        cluster.director.ipvsadm(&way.edit("-t", 3306, rip, 0)).unwrap();
        talk.say(b"still there?");
        for _ in 0..6 {
            let answered = cluster.client().tcp_echo(way.to(3306), b"!").unwrap();
            assert_eq!(answered, way.servers[1].0);
        }
        talk.say(b"still there?");
        let real = cluster.director.real(&way.service("-t", 3306), (rip, 3306)).unwrap();
        assert_eq!((real.weight, real.active), (0, 1));
        cluster.director.ipvsadm(&way.edit("-t", 3306, rip, 1)).unwrap();
        let names: Vec<_> =
            (0..2).map(|_| cluster.client().tcp_echo(way.to(3306), b"!").unwrap()).collect();
        assert!(names.iter().any(|answered| answered == name), "{names:?}");
    }
}
