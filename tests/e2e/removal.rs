//! Real servers that are taken out, or given no more, while they have connections.

use std::{thread, time::Duration};

use lvs_tests::prelude::*;

use crate::{
    cluster::{BOTH, Cluster, NAT},
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

#[test]
fn draining_ends_when_the_last_connection_has_ended() {
    let cluster = Cluster::manual(Mode::Native);
    cluster.serve(NAT, "-t", 3306, "-s wrr");
    let (name, rip) = NAT.servers[0];
    let (director, vip) = (&cluster.director, NAT.vip);
    let mut talk = Talk::with(&cluster, NAT, name);
    let drain =
        |deadline| format!("lvs-ctl backend drain tcp:{vip}:3306 {rip} --deadline {deadline}");
    let late = director.shell(&drain(0)).unwrap();
    assert_eq!(late.code, Some(1), "{late}");
    assert!(late.stderr.contains("1 active and 0 inactive connections are left"), "{late}");
    thread::scope(|scope| {
        let draining = scope.spawn(|| director.shell(&drain(60)).unwrap());
        talk.say(b"still there?");
        assert_eq!(cluster.client().tcp_echo(NAT.to(3306), b"!").unwrap(), NAT.servers[1].0);
        assert!(!draining.is_finished());
        drop(talk);
        // Not after the two minutes that the entry stays.
        let drained = draining.join().unwrap();
        assert_eq!(drained.code, Some(0), "{drained}");
    });
    let real = director.real(&NAT.service("-t", 3306), (rip, 3306)).unwrap();
    assert_eq!((real.weight, real.active, real.inactive), (0, 0, 1));
}
