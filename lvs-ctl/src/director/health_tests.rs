use std::net::IpAddr;

use tempfile::TempDir;

use super::*;
use crate::{
    dataplane::memory::Memory,
    director::{ChangeRequest, ListQuery, Options, StateDir, Who},
    model::{
        Change, Counters, DestAddr, Invalid, LoopbackOnly, Method, Protocol, SchedulerFlags,
        Service,
        health::{
            Admin, AllDown, Cause, CheckSpec, CheckType, Effective, Health, OnDown, Policy,
            ServiceHealth, Verdict,
        },
    },
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn web() -> ServiceId {
    ServiceId::Address { protocol: Protocol::Tcp, address: ip("192.0.2.1"), port: 80 }
}

fn rs(last: u8) -> DestAddr {
    DestAddr { address: [10, 0, 0, last].into(), port: 80 }
}

fn dest(last: u8, weight: u32) -> Dest {
    Dest { addr: rs(last), method: Method::Masq, weight, upper_threshold: 0, lower_threshold: 0 }
}

fn add(last: u8, weight: u32) -> Change {
    Change::AddDest { service: web(), dest: dest(last, weight) }
}

fn edit(last: u8, weight: u32) -> Change {
    Change::EditDest { service: web(), dest: dest(last, weight) }
}

fn delete(last: u8) -> Change {
    Change::DeleteDest { service: web(), dest: rs(last) }
}

fn policy(policy: Policy) -> Change {
    let checks = vec![CheckSpec::of(CheckType::Tcp)];
    Change::SetHealth { service: web(), health: ServiceHealth { checks, policy } }
}

fn removing() -> Policy {
    Policy { on_down: OnDown::Remove, ..Policy::default() }
}

fn said(last: u8, health: Health) -> Report {
    let verdict = Verdict::of(health);
    let cause = "tcp: refused".to_owned();
    Report { service: web(), dest: Some(rs(last)), verdict, diagnosis: None, cause }
}

/// A director with a service of two real servers, 3 and 5 in weight.
struct Bench {
    director: Director<Memory>,
    plane: Memory,
}

impl Bench {
    fn new(terms: Policy) -> Self {
        let mut bench = Self::empty();
        let service = Service {
            id: web(),
            scheduler: "wlc".into(),
            scheduler_flags: SchedulerFlags::default(),
            persistence: None,
            engine: None,
            one_packet: false,
        };
        bench.change(&[Change::AddService(service), add(1, 3), add(2, 5), policy(terms)]);
        bench
    }

    fn empty() -> Self {
        let plane = Memory::default();
        let director = Director::new(plane.clone(), Box::new(LoopbackOnly), Options::default());
        Self { director, plane }
    }

    fn change(&mut self, changes: &[Change]) {
        let request = ChangeRequest { changes: changes.into(), ..ChangeRequest::default() };
        assert_eq!(self.director.change(&request).unwrap().refused, []);
    }

    fn down(&mut self, last: u8) {
        self.director.health(&[said(last, Health::Down)]);
    }

    fn up(&mut self, last: u8) {
        self.director.health(&[said(last, Health::Up)]);
    }

    /// Real servers as packets see them, newest first, each with its weight.
    fn seen(&self) -> String {
        let state = self.plane.state();
        let pool = &state.table.get(&web()).unwrap().pool;
        let word = |real: &crate::model::PoolEntry| {
            format!(
                "{}:{}",
                real.dest.addr.address.to_string().trim_start_matches("10.0.0."),
                real.dest.weight
            )
        };
        pool.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// Those that get no packets but are checked.
    fn aside(&self) -> Vec<DestAddr> {
        let state = self.plane.state();
        let pool = &state.table.get(&web()).unwrap().pool;
        pool.aside().iter().map(|dest| dest.addr).collect()
    }

    /// The same as `ipvsadm -Ln` shows them.
    fn shown(&self) -> String {
        let listing = self.director.listing(&ListQuery::default()).unwrap();
        let word = |entry: crate::director::DestEntry| {
            let address = entry.dest.addr.address.to_string();
            format!("{}:{}", address.trim_start_matches("10.0.0."), entry.dest.weight)
        };
        listing.services[0].seen().map(word).collect::<Vec<_>>().join(" ")
    }

    /// What the operator said.
    fn weights(&self) -> Vec<u32> {
        let listing = self.director.listing(&ListQuery::default()).unwrap();
        listing.services[0].dests.iter().map(|entry| entry.dest.weight).collect()
    }
}

#[test]
fn what_is_down_is_quiesced_and_its_weight_restored() {
    let mut bench = Bench::new(Policy::default());
    assert_eq!(bench.seen(), "2:5 1:3");
    bench.down(1);
    assert_eq!((bench.seen(), bench.shown()), ("2:5 1:0".into(), "2:5 1:0".into()));
    assert_eq!(bench.weights(), [5, 3], "the operator's weights stay");
    bench.up(1);
    assert_eq!(bench.seen(), "2:5 1:3");
}

#[test]
fn what_is_removed_is_absent_and_comes_back_at_the_head() {
    let mut bench = Bench::new(removing());
    bench.down(1);
    assert_eq!((bench.seen(), bench.shown()), ("2:5".into(), "2:5".into()));
    bench.up(1);
    assert_eq!((bench.seen(), bench.shown()), ("1:3 2:5".into(), "1:3 2:5".into()));
}

#[test]
fn a_weight_set_by_hand_while_it_is_down_is_the_one_to_restore() {
    for terms in [Policy::default(), removing()] {
        let mut bench = Bench::new(terms);
        bench.down(1);
        let before = bench.seen();
        bench.change(&[edit(1, 9)]);
        assert_eq!(bench.seen(), before, "it is still down");
        bench.up(1);
        assert!(bench.seen().contains("1:9"), "{}", bench.seen());
    }
}

#[test]
fn what_is_quiesced_by_hand_stays_so_when_it_comes_back() {
    let mut bench = Bench::new(Policy::default());
    bench.down(1);
    bench.change(&[edit(1, 0)]);
    bench.up(1);
    assert_eq!(bench.seen(), "2:5 1:0");
}

#[test]
fn a_script_may_add_and_delete_what_health_has_taken_out() {
    let mut bench = Bench::new(removing());
    bench.down(1);
    bench.change(&[add(1, 7)]);
    assert_eq!(bench.seen(), "2:5", "added, but down");
    bench.change(&[delete(1), add(3, 1)]);
    bench.up(1);
    assert_eq!(bench.seen(), "3:1 2:5");
    bench.change(&[add(1, 7)]);
    assert_eq!(bench.seen(), "1:7 3:1 2:5", "nothing is known of it any more");
}

#[test]
fn what_nobody_checks_is_left_to_its_operator() {
    let mut bench = Bench::new(Policy::default());
    let dns = ServiceId::Address { protocol: Protocol::Udp, address: ip("192.0.2.1"), port: 53 };
    let other = Service {
        id: dns,
        scheduler: "rr".into(),
        scheduler_flags: SchedulerFlags::default(),
        persistence: None,
        engine: None,
        one_packet: false,
    };
    bench.change(&[Change::AddService(other), Change::AddDest { service: dns, dest: dest(1, 4) }]);
    let commits = bench.plane.state().commits.len();
    bench.down(1);
    let report = Report { service: dns, ..said(1, Health::Down) };
    bench.director.health(&[report]);
    let state = bench.plane.state();
    assert_eq!(state.commits[commits..], [vec![web()]], "only the service that is checked");
    assert_eq!(state.table.get(&dns).unwrap().pool.iter().next().unwrap().dest.weight, 4);
}

#[test]
fn what_changes_nothing_for_packets_is_no_commit() {
    let mut bench = Bench::new(Policy::default());
    let commits = bench.plane.state().commits.len();
    bench.up(1);
    bench.up(1);
    bench.director.health(&[said(9, Health::Down)]);
    assert_eq!(bench.plane.state().commits.len(), commits);
    let revision = bench.director.status().revision;
    bench.down(1);
    assert_eq!(bench.director.status().revision, revision, "no rule has changed");
}

#[test]
fn the_operators_decision_survives_the_controller_and_so_does_what_is_down() {
    let directory = TempDir::new().unwrap();
    let mut bench = Bench::empty();
    bench.director.keep_in(StateDir::open(directory.path()).unwrap()).unwrap();
    let service = Bench::new(Policy::default());
    let service = service.director.table.get(&web()).unwrap().service.clone();
    bench.change(&[
        Change::AddService(service),
        add(1, 3),
        add(2, 5),
        add(3, 7),
        policy(Policy::default()),
        Change::SetAdmin { service: web(), dest: rs(2), admin: Admin::Drain },
    ]);
    bench.down(1);
    assert_eq!(bench.seen(), "3:7 2:0 1:0");
    drop(bench);
    let mut bench = Bench::empty();
    bench.director.keep_in(StateDir::open(directory.path()).unwrap()).unwrap();
    assert_eq!(bench.seen(), "3:7 2:0 1:0");
    assert_eq!(bench.weights(), [7, 5, 3]);
    let checked = bench.director.checked().borrow().clone();
    let known: Vec<_> = checked.services[&web()].dests.iter().map(|dest| dest.known).collect();
    assert_eq!(known, [Health::Unknown, Health::Unknown, Health::Down]);
    bench.up(1);
    bench.change(&[Change::SetAdmin { service: web(), dest: rs(2), admin: Admin::Enabled }]);
    assert_eq!(bench.seen(), "3:7 2:5 1:3");
}

#[test]
fn a_sorry_server_comes_and_goes_and_is_no_rule() {
    let terms = Policy { all_down: AllDown::Sorry, sorry_server: Some(dest(99, 1)), ..removing() };
    let mut bench = Bench::new(terms);
    bench.down(1);
    bench.down(2);
    assert_eq!((bench.seen(), bench.shown()), ("99:1".into(), "99:1".into()));
    assert_eq!(bench.weights(), [5, 3]);
    bench.change(&[add(4, 2)]);
    assert_eq!(bench.seen(), "4:2");
    bench.up(1);
    assert_eq!(bench.seen(), "1:3 4:2");
}

#[test]
fn what_is_absent_and_an_idle_sorry_server_can_still_be_checked() {
    let sorry_checks = vec![CheckSpec::of(CheckType::Tcp)];
    let sorry_server = Some(dest(99, 1));
    let terms = Policy { all_down: AllDown::Sorry, sorry_server, sorry_checks, ..removing() };
    let mut bench = Bench::new(terms);
    assert_eq!(bench.aside(), [rs(99)]);
    bench.down(1);
    assert_eq!(bench.aside(), [rs(1), rs(99)]);
    assert!(bench.plane.addresses().contains(&rs(1).address), "its way is looked for");
    let others = ServiceId::Mark { mark: 9, family: crate::model::Family::Ipv4 };
    let scheduler = bench.director.table.get(&web()).unwrap().service.clone();
    bench.change(&[Change::AddService(Service { id: others, ..scheduler })]);
    assert_eq!(bench.aside(), [rs(1), rs(99)], "whatever happens to others");
    bench.down(2);
    assert_eq!((bench.seen(), bench.aside()), ("99:1".into(), vec![rs(2), rs(1)]));
    bench.up(1);
    bench.up(2);
    assert_eq!(bench.aside(), [rs(99)]);
    bench.change(&[
        policy(removing()),
        Change::SetAdmin { service: web(), dest: rs(2), admin: Admin::Maintenance },
    ]);
    assert_eq!((bench.seen(), bench.aside()), ("1:3".into(), vec![rs(2)]));
    bench.change(&[delete(2)]);
    assert_eq!(bench.aside(), []);
}

#[test]
fn watchers_are_told_with_the_cause() {
    let mut bench = Bench::new(Policy::default());
    let mut events = bench.director.watch();
    bench.down(1);
    let event = events.try_recv().unwrap();
    assert_eq!(event.changes, []);
    let [HealthChange::Dest { dest, health, before, after, cause, .. }] = &event.health[..] else {
        panic!("{event:?}")
    };
    assert_eq!((*dest, *health, cause.as_str()), (rs(1), Health::Down, "tcp: refused"));
    assert_eq!((*before, *after), (Effective::Weight(3), Effective::Weight(0)));
    // What is found out later is told as well, once.
    let diagnosis = Some(Cause::VipMissing);
    let report = Report { diagnosis, cause: "no VIP".into(), ..said(1, Health::Down) };
    bench.director.health(std::slice::from_ref(&report));
    bench.director.health(&[report]);
    let event = events.try_recv().unwrap();
    assert!(matches!(&event.health[..], [HealthChange::Dest { cause, .. }] if cause == "no VIP"));
    assert!(events.try_recv().is_err());
}

#[test]
fn connections_are_reset_where_that_is_asked_for() {
    for (reset, resets) in [(false, vec![]), (true, vec![(web(), rs(1))])] {
        let mut bench = Bench::new(Policy { reset, ..Policy::default() });
        bench.down(1);
        bench.down(1);
        bench.up(1);
        assert_eq!(bench.plane.state().resets, resets);
    }
}

#[test]
fn counters_go_on_while_it_is_quiesced() {
    let mut bench = Bench::new(Policy::default());
    let counters = Counters { conns: 7, ..Counters::default() };
    bench.plane.state().counters.insert((web(), rs(1)), counters);
    bench.down(1);
    bench.up(1);
    let query = ListQuery { stats: true, ..ListQuery::default() };
    let listing = bench.director.listing(&query).unwrap();
    assert_eq!(listing.services[0].dests[1].stats.unwrap().conns, 7);
}

#[test]
fn a_data_plane_that_refuses_is_asked_again() {
    let mut bench = Bench::new(removing());
    bench.plane.state().capacity = Some(0);
    bench.down(1);
    assert_eq!(bench.seen(), "2:5 1:3");
    bench.plane.state().capacity = None;
    bench.director.tick();
    assert_eq!(bench.seen(), "2:5");
}

#[test]
fn a_stranger_may_not_have_programs_run() {
    let mut bench = Bench::new(Policy::default());
    let checks = vec!["exec:/bin/true".parse().unwrap()];
    let health = ServiceHealth { checks, policy: Policy::default() };
    let changes = vec![Change::SetHealth { service: web(), health }];
    let request = ChangeRequest { changes, ..ChangeRequest::default() };
    let refused = bench.director.change_for(&Who::new("token"), &request).unwrap().refused;
    assert_eq!(refused, [(0, Invalid::MayNotExec)]);
    let refused =
        bench.director.change_for(&Who::new("root").may_exec(), &request).unwrap().refused;
    assert_eq!(refused, []);
}
