//! Checks of nginx under a steady load: who is killed gets nothing more, who returns is back, and nobody else
//! notices.
//!
//! `LVS_TEST_CHECK_INTERVAL=5` has them checked as rarely as operators do by default; without, every second.

use std::{
    env,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lvs_tests::{client::Answer, nginx::Nginx, prelude::*};

use crate::cluster::{Cluster, DR, NAT, SOON, Way};

/// What a busy machine may take from a verdict to the next request.
const SLACK: Duration = Duration::from_millis(300);

/// From one request of the load to the next.
const PACE: Duration = Duration::from_millis(5);

/// What became of one request of the load.
#[derive(Debug)]
struct Request {
    begun: Instant,
    server: Option<String>,
}

#[test]
fn who_is_killed_gets_nothing_after_interval_and_timeout_and_is_back_after_an_interval() {
    killed_and_back(NAT, "direct");
}

#[test]
fn the_same_holds_for_checks_through_dr() {
    killed_and_back(DR, "service");
}

#[test]
fn the_same_holds_for_checks_through_nat() {
    killed_and_back(NAT, "service");
}

fn killed_and_back(way: Way, via: &str) {
    let interval = interval();
    let check_timeout = interval.min(Duration::from_secs(3));
    let patience = SOON + 2 * interval;
    let topology = Topology::manual(Offload::Prepared).unwrap();
    let [(one, _), (other, _)] = way.servers;
    let [mut first, _second] = [one, other].map(|name| Nginx::start(topology.host(name)).unwrap());
    let cluster = Cluster::with(topology, Vec::new(), Mode::Native);
    cluster.serve(way, "-t", 80, "-s rr");
    let times = format!("{}s --check-timeout {}s", interval.as_secs(), check_timeout.as_secs());
    let check = format!("--check http:/ --check-interval {times} --fall 1 --via {via}");
    cluster.director.lvs_ctl(&format!("service edit tcp:{}:80 {check}", way.vip)).unwrap();
    eventually("both are up", patience, || {
        let listed = cluster.director.lvs_ctl("backend list").unwrap();
        (listed.matches("  up  ").count() == 2).then_some(())
    })
    .unwrap();

    let ((died, back), requests) = under_load(&cluster, way, |requests| {
        let answers_of = |name: &str, after: Instant| {
            let requests = requests.lock().unwrap();
            let of = |it: &&Request| it.begun > after && it.server.as_deref() == Some(name);
            requests.iter().filter(of).count()
        };
        let begun = Instant::now();
        eventually("both answer", SOON, || {
            (answers_of(one, begun) > 5 && answers_of(other, begun) > 5).then_some(())
        })
        .unwrap();
        let died = Instant::now();
        first.kill().unwrap();
        let gone = died + interval + check_timeout;
        eventually("the other one alone has answered for a while", patience, || {
            (answers_of(other, gone) > 20).then_some(())
        })
        .unwrap();
        first = Nginx::start(cluster.topology.host(one)).unwrap();
        let back = Instant::now();
        eventually("the first one answers", patience, || (answers_of(one, back) > 5).then_some(()))
            .unwrap();
        (died, back)
    });
    let failed: Vec<_> = requests.iter().filter(|it| it.server.is_none()).collect();
    assert!(!failed.is_empty(), "nobody noticed that it died");
    let last = failed.last().unwrap().begun.duration_since(died);
    assert!(last <= interval + check_timeout, "a new connection {last:?} after its death");
    assert!(failed[0].begun + SLACK > died, "before its death");
    // Round robin: every other request is the healthy one's.
    let in_a_row = requests.windows(2).filter(|pair| pair.iter().all(|it| it.server.is_none()));
    assert_eq!(in_a_row.count(), 0, "a request on the healthy real server failed");
    let first_again =
        requests.iter().find(|it| it.begun > back && it.server.as_deref() == Some(one)).unwrap();
    let took = first_again.begun.duration_since(back);
    assert!(took <= interval + SLACK, "back {took:?} after its return");
    eprintln!(
        "{} requests, {} failed, the last {last:?} after its death; back after {took:?}",
        requests.len(),
        failed.len()
    );
}

/// Runs `work` under a steady load, and returns what became of its requests.
fn under_load<T>(
    cluster: &Cluster,
    way: Way,
    work: impl FnOnce(&Mutex<Vec<Request>>) -> T,
) -> (T, Vec<Request>) {
    let requests = Mutex::new(Vec::new());
    let ends = AtomicBool::new(false);
    let worked = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let client = cluster.client().timeout(Duration::from_secs(2));
            while !ends.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let answer = client.get(way.to(80), "/");
                let server = answer.and_then(Answer::name).ok();
                requests.lock().unwrap().push(Request { begun, server });
                thread::sleep(PACE);
            }
        });
        let worked = work(&requests);
        ends.store(true, Ordering::Relaxed);
        load.join().unwrap();
        worked
    });
    (worked, requests.into_inner().unwrap())
}

fn interval() -> Duration {
    let said = env::var("LVS_TEST_CHECK_INTERVAL");
    Duration::from_secs(said.map_or(1, |said| said.parse().expect("seconds")))
}
