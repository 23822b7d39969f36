use std::net::IpAddr;

use super::*;
use crate::{
    dataplane::{DataPlaneError, memory::Memory},
    model::{
        Change, Counters, Dest, DestAddr, Invalid, LoopbackOnly, MarkRule, Method, Ports, Protocol,
        SchedulerFlags, Service, ServiceId, Timeouts, TunableValue, Tunables,
    },
    plan::PlanError,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn web() -> ServiceId {
    ServiceId::Address { protocol: Protocol::Tcp, address: ip("192.0.2.1"), port: 80 }
}

fn add_web() -> Change {
    Change::AddService(Service {
        id: web(),
        scheduler: "rr".into(),
        scheduler_flags: SchedulerFlags::default(),
        persistence: None,
        engine: None,
        one_packet: false,
    })
}

fn rs(address: &str) -> DestAddr {
    DestAddr { address: ip(address), port: 80 }
}

fn add_rs(address: &str) -> Change {
    let dest = Dest {
        addr: rs(address),
        method: Method::Masq,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    };
    Change::AddDest { service: web(), dest }
}

fn delete_rs(address: &str) -> Change {
    Change::DeleteDest { service: web(), dest: rs(address) }
}

fn set(name: &str, value: i64) -> Change {
    Change::SetTunable { name: name.into(), value: TunableValue::One(value) }
}

fn mark(destination: &str, mark: u32) -> MarkRule {
    let destination = destination.parse().unwrap();
    MarkRule { protocol: None, destination, ports: Ports::default(), mark }
}

/// A director with what it needs to be looked into.
struct Bench {
    director: Director<Memory>,
    plane: Memory,
}

impl Bench {
    fn new() -> Self {
        let plane = Memory::default();
        let director = Director::new(plane.clone(), Box::new(LoopbackOnly), Options::default());
        Self { director, plane }
    }

    fn with(changes: &[Change]) -> Self {
        let mut bench = Self::new();
        bench.change(changes);
        bench
    }

    fn change(&mut self, changes: &[Change]) {
        let request = ChangeRequest { changes: changes.into(), ..ChangeRequest::default() };
        assert_eq!(self.director.change(&request).unwrap().refused, []);
    }

    fn count(&self, address: &str, conns: u64) {
        let counters = Counters { conns, ..Counters::default() };
        self.plane.state().counters.insert((web(), rs(address)), counters);
    }

    /// Connections of the service, then of each real server, newest first.
    fn conns(&self) -> Vec<u64> {
        let query = ListQuery { service: Some(web()), stats: true, rates: true };
        let listing = self.director.listing(&query).unwrap();
        let entry = &listing.services[0];
        let dests = entry.dests.iter().map(|dest| dest.stats);
        [entry.stats].into_iter().chain(dests).map(|stats| stats.unwrap().conns).collect()
    }
}

fn all_or_nothing(changes: Vec<Change>) -> ChangeRequest {
    ChangeRequest { changes, all_or_nothing: true, if_revision: None }
}

#[test]
fn one_request_is_one_commit_and_one_revision() {
    let bench = Bench::with(&[add_web(), add_rs("192.0.2.11"), add_rs("192.0.2.12")]);
    assert_eq!(bench.plane.state().commits, [vec![web()]]);
    assert_eq!(bench.director.status().revision, 1);
    assert_eq!(bench.plane.state().table.get(&web()).unwrap().pool.len(), 2);
}

#[test]
fn refused_changes_are_skipped_and_reported() {
    let mut bench = Bench::new();
    let changes = vec![add_web(), add_web(), add_rs("0.0.0.0"), add_rs("192.0.2.11")];
    let request = ChangeRequest { changes, ..ChangeRequest::default() };
    let outcome = bench.director.change(&request).unwrap();
    assert_eq!(outcome.applied, 2);
    let refused: Vec<_> = outcome.refused.iter().map(|(index, it)| (*index, it.code())).collect();
    assert_eq!(refused, [(1, "service-exists"), (2, "invalid-operation")]);
}

#[test]
fn all_or_nothing_makes_nothing_when_one_is_refused() {
    let mut bench = Bench::new();
    let error = bench.director.change(&all_or_nothing(vec![add_web(), add_web()])).unwrap_err();
    let expected = (1, Invalid::ServiceExists);
    assert!(
        matches!(error, DirectorError::Refused { index, invalid } if (index, invalid.clone()) == expected)
    );
    assert_eq!(bench.director.status().services, 0);
    assert!(bench.plane.state().commits.is_empty());
}

#[test]
fn a_stale_revision_changes_nothing() {
    let mut bench = Bench::with(&[add_web()]);
    let request =
        ChangeRequest { changes: vec![Change::Flush], all_or_nothing: false, if_revision: Some(0) };
    let error = bench.director.change(&request).unwrap_err();
    assert!(matches!(error, DirectorError::Stale { current: 1 }));
    assert_eq!(bench.director.status().services, 1);
}

#[test]
fn what_the_data_plane_refuses_is_not_in_the_table() {
    let mut bench = Bench::with(&[add_web(), add_rs("192.0.2.11")]);
    bench.plane.state().capacity = Some(1);
    let timeouts = Timeouts { tcp_s: 1, tcp_fin_s: 1, udp_s: 1 };
    let changes = vec![
        Change::SetTimeouts(timeouts),
        set("conn_reuse_mode", 0),
        Change::AddMark(mark("192.0.2.0/24", 7)),
        add_rs("192.0.2.12"),
    ];
    let error = bench.director.change(&all_or_nothing(changes)).unwrap_err();
    assert!(matches!(
        error,
        DirectorError::DataPlane(DataPlaneError::Plan(PlanError::NoRoom { capacity: 1, .. }))
    ));
    assert_eq!(bench.director.status().dests, 1);
    assert_eq!(bench.director.settings().timeouts, Timeouts::default());
    assert_eq!(bench.plane.state().timeouts, Timeouts::default());
    assert!(bench.plane.state().tunables.is_default());
    assert_eq!(bench.director.tunables().tunables[4].value, TunableValue::One(1));
    assert_eq!(bench.plane.state().marks, []);
    assert_eq!(bench.director.marks().marks, []);
    assert_eq!(bench.plane.state().table.get(&web()).unwrap().pool.len(), 1);
}

#[test]
fn a_service_counts_its_deleted_real_servers_too() {
    let mut bench = Bench::with(&[add_web(), add_rs("192.0.2.11"), add_rs("192.0.2.12")]);
    bench.count("192.0.2.11", 5);
    bench.count("192.0.2.12", 7);
    assert_eq!(bench.conns(), [12, 7, 5]);
    bench.change(&[delete_rs("192.0.2.11")]);
    assert_eq!(bench.conns(), [12, 7]);
}

#[test]
fn a_real_server_that_comes_back_goes_on_counting() {
    let mut bench = Bench::with(&[add_web(), add_rs("192.0.2.11")]);
    bench.count("192.0.2.11", 5);
    bench.change(&[delete_rs("192.0.2.11")]);
    bench.change(&[add_rs("192.0.2.11")]);
    bench.count("192.0.2.11", 6);
    assert_eq!(bench.conns(), [6, 6]);
}

#[test]
fn a_real_server_that_was_forgotten_starts_at_nothing() {
    let mut bench = Bench::with(&[add_web(), add_rs("192.0.2.11")]);
    bench.count("192.0.2.11", 5);
    bench.change(&[delete_rs("192.0.2.11")]);
    bench.count("192.0.2.11", 0);
    bench.change(&[add_rs("192.0.2.11")]);
    bench.count("192.0.2.11", 2);
    assert_eq!(bench.conns(), [7, 2]);
}

#[test]
fn a_new_service_starts_at_nothing_even_over_old_counters() {
    let mut bench = Bench::with(&[add_web(), add_rs("192.0.2.11")]);
    bench.count("192.0.2.11", 5);
    bench.change(&[Change::DeleteService(web())]);
    bench.change(&[add_web(), add_rs("192.0.2.11")]);
    assert_eq!(bench.conns(), [0, 0]);
    bench.count("192.0.2.11", 8);
    assert_eq!(bench.conns(), [3, 3]);
}

#[test]
fn zeroing_moves_the_zero_point_and_is_no_revision() {
    let mut bench = Bench::with(&[add_web(), add_rs("192.0.2.11"), add_rs("192.0.2.12")]);
    bench.count("192.0.2.11", 5);
    bench.count("192.0.2.12", 7);
    bench.change(&[delete_rs("192.0.2.12")]);
    bench.change(&[Change::Zero(Some(web()))]);
    assert_eq!(bench.conns(), [0, 0]);
    bench.count("192.0.2.11", 6);
    assert_eq!(bench.conns(), [1, 1]);
    assert_eq!(bench.director.status().revision, 2);
}

#[test]
fn zeroing_takes_away_what_was_summed_and_the_rest_is_back_with_the_next_sum() {
    let mut bench = Bench::with(&[add_web(), add_rs("192.0.2.11")]);
    bench.count("192.0.2.11", 5);
    bench.director.tick();
    bench.count("192.0.2.11", 8);
    bench.change(&[Change::Zero(None)]);
    assert_eq!(bench.conns(), [0, 0]);
    bench.director.tick();
    assert_eq!(bench.conns(), [3, 3]);
    bench.change(&[Change::Zero(None)]);
    bench.director.tick();
    assert_eq!(bench.conns(), [0, 0]);
}

#[test]
fn rates_follow_the_ticks() {
    let mut bench = Bench::with(&[add_web(), add_rs("192.0.2.11")]);
    bench.count("192.0.2.11", 80);
    bench.director.tick();
    let query = ListQuery { service: Some(web()), stats: false, rates: true };
    let listing = bench.director.listing(&query).unwrap();
    let entry = &listing.services[0];
    assert_eq!(entry.rates.unwrap().cps, 10);
    assert_eq!(entry.dests[0].rates.unwrap().cps, 10);
    assert_eq!(entry.stats, None);
}

#[test]
fn a_killed_controller_finds_its_rules_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new();
    bench.director.keep_in(StateDir::open(directory.path()).unwrap()).unwrap();
    bench.change(&[add_web(), add_rs("192.0.2.11"), add_rs("192.0.2.12")]);
    bench.change(&[delete_rs("192.0.2.11"), add_rs("192.0.2.11")]);
    bench.change(&[set("secure_tcp", 3), set("sync_version", 0), set("sync_version", 1)]);
    bench.change(&[Change::AddMark(mark("192.0.2.0/24", 7)), Change::AddMark(mark("::/0", 8))]);
    bench.change(&[Change::DeleteMark(mark("192.0.2.0/24", 7))]);
    bench.count("192.0.2.11", 5);
    let before = bench.director.snapshot();
    drop(bench.director);

    // Once from the journal, once from the snapshot that was made of it.
    for _ in 0..2 {
        {
            let mut state = bench.plane.state();
            state.tunables = Tunables::default();
            state.marks.clear();
        }
        let mut again =
            Director::new(bench.plane.clone(), Box::new(LoopbackOnly), Options::default());
        again.keep_in(StateDir::open(directory.path()).unwrap()).unwrap();
        assert_eq!(again.snapshot(), before);
        assert_eq!(bench.plane.state().tunables.number("secure_tcp"), 3);
        assert_eq!(bench.plane.state().marks, [mark("::/0", 8)]);
        let again = Bench { director: again, plane: bench.plane.clone() };
        assert_eq!(again.conns(), [5, 5, 0]);
    }
}

#[test]
fn rules_move_to_a_directory_that_has_none() {
    let directory = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
    StateDir::move_rules(&from, &to).unwrap();
    assert!(!to.exists());
    let mut bench = Bench::new();
    bench.director.keep_in(StateDir::open(&from).unwrap().durable()).unwrap();
    bench.change(&[add_web(), add_rs("192.0.2.11")]);
    StateDir::move_rules(&from, &to).unwrap();
    assert!(StateDir::open(&from).unwrap().load().unwrap().is_none());
    let (moved, revision) = StateDir::open(&to).unwrap().load().unwrap().unwrap();
    assert_eq!(moved.snapshot(revision), bench.director.snapshot());
    // Rules that are there already are not overwritten.
    Bench::new().director.keep_in(StateDir::open(&from).unwrap()).unwrap();
    StateDir::move_rules(&from, &to).unwrap();
    assert_eq!(StateDir::open(&to).unwrap().load().unwrap().unwrap().1, revision);
}

#[test]
fn a_line_cut_short_in_the_journal_was_never_answered() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::new();
    bench.director.keep_in(StateDir::open(directory.path()).unwrap()).unwrap();
    bench.change(&[add_web()]);
    let journal = directory.path().join("journal.ndjson");
    let mut text = std::fs::read(&journal).unwrap();
    text.extend_from_slice(br#"{"revision":2,"cha"#);
    std::fs::write(&journal, text).unwrap();

    let mut state = StateDir::open(directory.path()).unwrap();
    let (table, revision) = state.load().unwrap().unwrap();
    assert_eq!((table.services().len(), revision), (1, 1));
}

#[test]
fn watchers_see_the_changes_that_were_made() {
    let mut bench = Bench::new();
    let mut events = bench.director.watch();
    let request = ChangeRequest { changes: vec![add_web(), add_web()], ..Default::default() };
    bench.director.change(&request).unwrap();
    bench.change(&[Change::Zero(None)]);
    let event = events.try_recv().unwrap();
    assert_eq!(*event, Event { revision: 1, changes: vec![add_web()], health: Vec::new() });
    let switches = vec![set("sloppy_tcp", 1), Change::AddMark(mark("192.0.2.0/24", 7))];
    bench.change(&switches);
    assert_eq!(
        *events.try_recv().unwrap(),
        Event { revision: 2, changes: switches, health: Vec::new() }
    );
    assert!(events.try_recv().is_err());
}
