//! `ipvsadm-save | ipvsadm-restore` is identity, on the data plane in the kernel, and packets do not notice.

use std::{
    env,
    fmt::Write as _,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::SystemTime,
};

use lvs_ctl::{
    api::client::{Client, Controller as _},
    api::types::{ChangeRequest, ListQuery, ServiceEntry},
    model::{Change, Dest},
};
use lvs_tests::prelude::*;
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::cluster::{Cluster, DR, SOON};

#[path = "../../lvs-ctl/tests/common/random.rs"]
mod random;

/// Tables in a run; a thousand and more are tried on the data plane in memory.
const TABLES: u32 = 100;

#[test]
fn random_tables_that_are_saved_and_restored_are_the_same_tables() {
    let seed = seed();
    eprintln!("LVS_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let topology = Topology::dr(Offload::Prepared).unwrap();
    let director = Director::start(topology.host("director"), Mode::Native).unwrap();
    let mut client = Client::connect(director.socket()).unwrap();
    let empty = places(&mut client);
    for number in 0..TABLES {
        let changes = random::table().new_tree(&mut runner).unwrap().current();
        let changes = [Change::Flush].into_iter().chain(changes).collect();
        client.change(&ChangeRequest { changes, ..ChangeRequest::default() }).unwrap();
        let before = rules(&mut client);
        let said = director.shell("ipvsadm-save -n | ipvsadm-restore").unwrap();
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "table {number}: {said}");
        assert_eq!(rules(&mut client), before, "table {number}");
    }
    // Nothing is left in the data plane of any of them.
    director.ipvsadm("-C").unwrap();
    let mut left = Vec::new();
    let gone = eventually("every place is free again", SOON, || {
        left = places(&mut client);
        (left == empty).then_some(())
    });
    gone.unwrap_or_else(|error| panic!("{error:#}: {left:?}, not {empty:?}"));
}

#[test]
fn requests_go_on_while_a_thousand_services_are_restored_again_and_again() {
    let cluster = Cluster::manual(Mode::Native);
    cluster.serve(DR, "-t", 80, "-s rr");
    let mut rules = cluster.director.shell("ipvsadm-save -n").unwrap().ok().unwrap();
    for number in 0..1_000 {
        let vip = format!("10.0.{}.{}:80", number / 250, number % 250);
        let rip = DR.servers[0].1;
        writeln!(rules, "-A -t {vip} -s wrr\n-a -t {vip} -r {rip}:80 -g -w 1").unwrap();
    }
    fs::write(cluster.topology.lab().directory().join("rules"), rules).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let client = cluster.client();
            let mut asked = 0;
            while !over.load(Ordering::Relaxed) {
                client.get(DR.to(80), "/").unwrap_or_else(|error| panic!("{asked}: {error:#}"));
                asked += 1;
            }
            asked
        });
        for _ in 0..5 {
            cluster.director.shell("ipvsadm-restore < rules").unwrap().ok().unwrap();
        }
        over.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 5, "the client had its turns");
    });
    let services = cluster.director.ipvsadm("-Sn").unwrap();
    assert_eq!(services.lines().filter(|line| line.starts_with("-A")).count(), 1_001);
}

/// The services with their real servers, in an order that is not history's, as ipvsadm saves them in its own; without
/// thresholds, which it does not save.
fn rules(client: &mut Client) -> Vec<ServiceEntry> {
    let mut services = client.listing(&ListQuery::default()).unwrap().services;
    services.sort_by_key(|entry| entry.service.id);
    for entry in &mut services {
        entry.dests.sort_by_key(|entry| entry.dest.addr);
        for entry in &mut entry.dests {
            entry.dest = Dest { upper_threshold: 0, lower_threshold: 0, ..entry.dest };
        }
    }
    services
}

/// What of the data plane's tables is in use.
fn places(client: &mut Client) -> Vec<(String, u64)> {
    let tables = client.status().unwrap().plane.tables.into_iter();
    tables.map(|table| (table.name, table.used)).collect()
}

/// The number in `LVS_SEED`, or another each time.
fn seed() -> u64 {
    let now = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos().into());
    env::var("LVS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(now)
}
