use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{
    Change, Dest, LoopbackOnly, Method, Protocol, SchedulerFlags, Service, ServiceId, Table,
    health::{DestHealth, ServiceHealth},
};

fn web() -> ServiceId {
    ServiceId::Address { protocol: Protocol::Tcp, address: [192, 0, 2, 1].into(), port: 80 }
}

fn rs(last: u8) -> DestAddr {
    DestAddr { address: [10, 0, 0, last].into(), port: 80 }
}

fn dest(last: u8, weight: u32) -> Dest {
    Dest { addr: rs(last), method: Method::Masq, weight, upper_threshold: 0, lower_threshold: 0 }
}

/// A service with real servers of these weights, from 10.0.0.1 on.
struct Bench {
    table: Table,
    verdicts: BTreeMap<DestAddr, Verdict>,
    gate: Gate,
    is_sorry: bool,
}

impl Bench {
    fn new(weights: &[u32], policy: Policy) -> Self {
        let service = Service {
            id: web(),
            scheduler: "rr".into(),
            scheduler_flags: SchedulerFlags::default(),
            persistence: None,
            engine: None,
            one_packet: false,
        };
        let mut bench = Self {
            table: Table::default(),
            verdicts: BTreeMap::new(),
            gate: Gate::Met,
            is_sorry: false,
        };
        bench.change(&Change::AddService(service));
        for (last, weight) in (1..).zip(weights) {
            bench.change(&Change::AddDest { service: web(), dest: dest(last, *weight) });
        }
        let health = ServiceHealth { checks: Vec::new(), policy };
        bench.change(&Change::SetHealth { service: web(), health });
        bench
    }

    fn change(&mut self, change: &Change) {
        self.table.apply(change, &LoopbackOnly).unwrap();
    }

    fn admin(&mut self, last: u8, admin: Admin) {
        self.change(&Change::SetAdmin { service: web(), dest: rs(last), admin });
    }

    fn backup(&mut self, last: u8) {
        let health = DestHealth { checks: None, backup: true };
        self.change(&Change::SetDestHealth { service: web(), dest: rs(last), health });
    }

    fn say(&mut self, last: u8, verdict: Verdict) {
        self.verdicts.insert(rs(last), verdict);
    }

    fn down(&mut self, last: u8) {
        self.say(last, Verdict::of(Health::Down));
    }

    fn up(&mut self, last: u8) {
        self.say(last, Verdict::of(Health::Up));
    }

    /// What each gets, in the order of their addresses; `-` is absent.
    fn gets(&mut self) -> String {
        let verdict = |addr: &DestAddr| self.verdicts.get(addr).copied().unwrap_or(Verdict::NONE);
        let (standing, gate) = effective(self.table.get(&web()).unwrap(), verdict, true, self.gate);
        (self.gate, self.is_sorry) = (gate, standing.is_sorry);
        let word = |gets: &Effective| match gets {
            Effective::Weight(weight) => weight.to_string(),
            Effective::Absent => "-".to_owned(),
        };
        standing.dests.values().map(word).collect::<Vec<_>>().join(" ")
    }
}

fn removing() -> Policy {
    Policy { on_down: OnDown::Remove, ..Policy::default() }
}

#[test]
fn what_is_not_known_to_be_down_keeps_the_operators_weight() {
    assert_eq!(Bench::new(&[3, 1, 0], Policy::default()).gets(), "3 1 0");
}

#[test]
fn what_is_down_is_quiesced_or_removed() {
    for (policy, gets) in [(Policy::default(), "0 1"), (removing(), "- 1")] {
        let mut bench = Bench::new(&[3, 1], policy);
        bench.down(1);
        assert_eq!(bench.gets(), gets);
        bench.up(1);
        assert_eq!(bench.gets(), "3 1");
    }
}

#[test]
fn the_operators_decision_goes_before_the_checks() {
    let mut bench = Bench::new(&[3, 3, 3, 3], removing());
    bench.down(4);
    bench.admin(1, Admin::Drain);
    bench.admin(2, Admin::Maintenance);
    bench.admin(4, Admin::ForcedUp);
    assert_eq!(bench.gets(), "0 - 3 3");
    bench.admin(4, Admin::Enabled);
    assert_eq!(bench.gets(), "0 - 3 -");
}

#[test]
fn a_check_can_want_another_weight_and_a_slow_start_a_part_of_it() {
    let mut bench = Bench::new(&[10, 10, 0], Policy::default());
    let up = Verdict::of(Health::Up);
    bench.say(1, Verdict { wanted: (40, 1), ..up });
    bench.say(2, Verdict { wanted: (4 + 12, 2), ..up });
    bench.say(3, Verdict { wanted: (40, 1), ..up });
    assert_eq!(bench.gets(), "40 6 0", "what is quiesced by hand stays so");
    bench.say(1, Verdict { wanted: (40, 1), share_permille: 500, ..up });
    bench.say(2, Verdict { share_permille: 1, ..up });
    assert_eq!(bench.gets(), "20 1 0");
}

#[test]
fn backup_servers_wait_until_the_quorum_is_lost() {
    let mut bench = Bench::new(&[1, 1, 1], Policy { quorum: 2, ..removing() });
    bench.backup(3);
    assert_eq!(bench.gets(), "1 1 -");
    bench.down(1);
    assert_eq!((bench.gets().as_str(), bench.gate), ("- 1 1", Gate::Backup));
    bench.up(1);
    assert_eq!(bench.gets(), "1 1 -");
}

#[test]
fn a_lost_quorum_fails_closed_open_or_to_the_sorry_server() {
    for (all_down, sorry, one, none) in [
        (AllDown::Closed, None, "0 5", "0 0"),
        (AllDown::Open, None, "5 5", "5 5"),
        (AllDown::Sorry, Some(dest(9, 1)), "0 0", "0 0"),
    ] {
        let policy = Policy { all_down, sorry_server: sorry, quorum: 10, ..Policy::default() };
        let mut bench = Bench::new(&[5, 5], policy);
        bench.down(1);
        assert_eq!(bench.gets(), one, "{all_down:?}");
        assert_eq!(bench.is_sorry, sorry.is_some());
        bench.down(2);
        assert_eq!(bench.gets(), none, "{all_down:?}");
        bench.up(1);
        bench.up(2);
        assert_eq!((bench.gets().as_str(), bench.is_sorry), ("5 5", false));
    }
}

#[test]
fn a_quorum_has_hysteresis() {
    let policy = Policy { quorum: 3, hysteresis: 1, ..Policy::default() };
    let mut bench = Bench::new(&[1, 1, 1, 1], policy);
    let mut gate_with_up = |up: u8| {
        for last in 1..=4 {
            bench.say(last, Verdict::of(if last <= up { Health::Up } else { Health::Down }));
        }
        bench.gets();
        bench.gate
    };
    assert_eq!(gate_with_up(4), Gate::Met);
    assert_eq!(gate_with_up(2), Gate::Met, "3 - 1 is enough to stay");
    assert_eq!(gate_with_up(1), Gate::Lost);
    assert_eq!(gate_with_up(3), Gate::Lost, "3 + 1 is wanted to come back");
    assert_eq!(gate_with_up(4), Gate::Met);
}

#[test]
fn a_quorum_beyond_all_weights_is_all_weights() {
    let mut bench = Bench::new(&[1, 1], Policy { quorum: 50, ..Policy::default() });
    bench.gets();
    assert_eq!(bench.gate, Gate::Met);
}

#[derive(Debug, Clone, Copy)]
struct Any {
    weight: u32,
    health: Health,
    admin: Admin,
    is_backup: bool,
}

fn any_member() -> impl Strategy<Value = Any> {
    let health = prop_oneof![Just(Health::Unknown), Just(Health::Up), Just(Health::Down)];
    let admin = prop_oneof![
        4 => Just(Admin::Enabled),
        1 => Just(Admin::Drain),
        1 => Just(Admin::Maintenance),
        1 => Just(Admin::ForcedUp),
    ];
    (0u32..20, health, admin, any::<bool>()).prop_map(|(weight, health, admin, is_backup)| Any {
        weight,
        health,
        admin,
        is_backup,
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let all_down = prop_oneof![Just(AllDown::Closed), Just(AllDown::Open), Just(AllDown::Sorry)];
    let on_down = prop_oneof![Just(OnDown::Quiesce), Just(OnDown::Remove)];
    (all_down, on_down, 1u32..30).prop_flat_map(|(all_down, on_down, quorum)| {
        (0..quorum).prop_map(move |hysteresis| Policy {
            on_down,
            all_down,
            quorum,
            hysteresis,
            sorry_server: (all_down == AllDown::Sorry).then(|| dest(250, 1)),
            ..Policy::default()
        })
    })
}

proptest! {
    #[test]
    fn nobody_gets_connections_who_should_not(
        members in proptest::collection::vec(any_member(), 0..8),
        policy in any_policy(),
        gate in prop_oneof![Just(Gate::Met), Just(Gate::Backup), Just(Gate::Lost)],
    ) {
        let weights: Vec<u32> = members.iter().map(|member| member.weight).collect();
        let mut bench = Bench::new(&weights, policy.clone());
        bench.gate = gate;
        for (last, member) in (1..).zip(&members) {
            bench.say(last, Verdict::of(member.health));
            bench.admin(last, member.admin);
            if member.is_backup {
                bench.backup(last);
            }
        }
        let text = bench.gets();
        let gets: Vec<&str> = text.split_whitespace().collect();
        prop_assert_eq!(gets.len(), members.len());
        for (gets, member) in gets.iter().zip(&members) {
            let takes = !matches!(*gets, "-" | "0");
            let decided = matches!(member.admin, Admin::Drain | Admin::Maintenance);
            prop_assert!(!(takes && decided), "an operator took it out");
            prop_assert!(!(takes && bench.is_sorry), "the sorry server has them all");
            let is_down = member.admin == Admin::Enabled && member.health == Health::Down;
            let is_open = bench.gate == Gate::Lost && policy.all_down == AllDown::Open;
            prop_assert!(!(takes && is_down) || is_open, "it is down");
            prop_assert!(!(takes && member.is_backup && bench.gate == Gate::Met));
            if takes {
                let weight = member.weight.to_string();
                prop_assert_eq!(*gets, weight.as_str());
            }
        }
        // What gate it is depends on nothing but where it was: asked again, it is the same.
        let settled = bench.gate;
        bench.gets();
        prop_assert_eq!(bench.gate, settled);
    }
}
