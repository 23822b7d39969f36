//! Active and inactive connections, as the listing counts them.

use lvs_tests::prelude::*;

use crate::{
    cluster::{BOTH, Cluster, DR, NAT, SOON, Way},
    talk::Talk,
};

#[test]
fn connections_are_active_while_they_are_open_and_inactive_afterwards() {
    let cluster = Cluster::manual(Mode::Native);
    for way in BOTH {
        cluster.serve(way, "-t", 3306, "-s rr");
        let held: Vec<_> = (0..6).map(|_| Talk::to(&cluster, way)).collect();
        wait_for(&cluster, way, "-t", 3306, [3, 0]);
        let states: Vec<_> = of(&cluster, way).map(|connection| connection.state).collect();
        assert_eq!(states, ["ESTABLISHED"; 6]);
        drop(held);
        wait_for(&cluster, way, "-t", 3306, [0, 3]);
        assert_eq!(of(&cluster, way).filter(|it| it.state != "ESTABLISHED").count(), 6);
    }
}

#[test]
fn connections_are_forgotten_when_their_time_is_over() {
    let cluster = Cluster::manual(Mode::Native);
    cluster.director.ipvsadm("--set 4 4 4").unwrap();
    for way in BOTH {
        cluster.serve(way, "-t", 3306, "-s rr");
        cluster.serve(way, "-u", 53, "-s rr");
    }
    // Silent, not closed: its time is that of established connections.
    let held: Vec<_> = [NAT, NAT, DR, DR].map(|way| Talk::to(&cluster, way)).into();
    for way in BOTH {
        cluster.client().datagrams(way.to(53), 4, b"?").assert_is(&way.split([2, 2]));
        wait_for(&cluster, way, "-t", 3306, [1, 0]);
        wait_for(&cluster, way, "-u", 53, [0, 2]);
    }
    for way in BOTH {
        wait_for(&cluster, way, "-t", 3306, [0, 0]);
        wait_for(&cluster, way, "-u", 53, [0, 0]);
        assert_eq!(of(&cluster, way).count(), 0);
    }
    drop(held);
}

#[test]
fn in_dr_a_closed_connection_is_forgotten_after_the_time_for_fin() {
    let cluster = Cluster::manual(Mode::Native);
    cluster.director.ipvsadm("--set 0 2 0").unwrap();
    cluster.serve(DR, "-t", 3306, "-s rr");
    let (closed, held) = (Talk::to(&cluster, DR), Talk::to(&cluster, DR));
    drop(closed);
    let reals = || cluster.director.reals(&DR.service("-t", 3306)).unwrap();
    let sum = |of: fn(&Real) -> u32| reals().iter().map(of).sum::<u32>();
    wait(|| (sum(|real| real.inactive), sum(|real| real.active)) == (0, 1));
    drop(held);
}

fn of(cluster: &Cluster, way: Way) -> impl Iterator<Item = Connection> {
    let all = cluster.director.connections().unwrap();
    all.into_iter().filter(move |connection| connection.vip.ip() == way.vip)
}

/// Waits until each real server has so many active and inactive connections.
fn wait_for(cluster: &Cluster, way: Way, kind: &str, port: u16, [active, inactive]: [u32; 2]) {
    let mut seen = Vec::new();
    let look = || {
        seen = cluster.director.reals(&way.service(kind, port)).unwrap();
        let right = |real: &Real| (real.active, real.inactive) == (active, inactive);
        (seen.len() == 2 && seen.iter().all(right)).then_some(())
    };
    let done = eventually("the counts are right", SOON, look);
    assert!(done.is_ok(), "expected {active} active, {inactive} inactive: {seen:?}");
}

fn wait(mut look: impl FnMut() -> bool) {
    eventually("it is so", SOON, || look().then_some(())).unwrap();
}
