//! The schedulers against a second implementation, over random services, loads and edits.

mod locality;
mod pool;
mod reference;
mod tables;

use std::cell::Cell;

use lvs_common::sched::{fo, lc, nq, ovf, rr, sed, wlc, wrr};
use proptest::{collection::vec, prelude::*};

use self::{
    pool::VecPool,
    reference::{Rr, Server, Wrr},
};

fn weight() -> impl Strategy<Value = u32> {
    prop_oneof![
        2 => Just(0_u32),
        6 => 1..5_u32,
        2 => 1..200_u32,
        1 => (1..30_u32).prop_map(|weight| weight * 12),
        1 => 0x7fff_fff0..=0x7fff_ffff_u32,
    ]
}

fn connections() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0_u32), 6 => 0..6_u32, 2 => 0..1000_u32, 1 => 0..16_000_000_u32]
}

/// A service's real servers, newest first.
fn servers(weight: impl Strategy<Value = u32>, most: usize) -> impl Strategy<Value = Vec<Server>> {
    let server = (weight, connections(), connections(), prop::bool::weighted(0.2));
    vec(server, 0..=most).prop_map(|servers| {
        let with_id = |((weight, active, inactive, is_overloaded), id)| {
            // Together no more than what the comparison is exact for at the largest weight.
            let inactive = if active > 60_000 { inactive % 600_000 } else { inactive };
            Server { id, weight, active, inactive, is_overloaded }
        };
        servers.into_iter().zip(1..).map(with_id).collect()
    })
}

#[derive(Clone, Debug)]
enum Event {
    Choose,
    Add { weight: u32 },
    Edit { which: usize, weight: u32 },
    Delete { which: usize },
    Overload { which: usize, is_overloaded: bool },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let small =
        || prop_oneof![1 => Just(0_u32), 6 => 1..7_u32, 2 => (1..9_u32).prop_map(|w| w * 6)];
    let which = || 0..8_usize;
    let event = prop_oneof![
        12 => Just(Event::Choose),
        2 => small().prop_map(|weight| Event::Add { weight }),
        2 => (which(), small()).prop_map(|(which, weight)| Event::Edit { which, weight }),
        1 => which().prop_map(|which| Event::Delete { which }),
        3 => (which(), any::<bool>())
            .prop_map(|(which, is_overloaded)| Event::Overload { which, is_overloaded }),
    ];
    vec(event, 1..120)
}

/// Applies an event to the list; whether the list or a weight was edited.
fn apply(event: &Event, list: &mut Vec<Server>, next_id: &mut u32) -> bool {
    let count = list.len().max(1);
    match *event {
        Event::Choose => return false,
        Event::Add { weight } => {
            *next_id += 1;
            let server =
                Server { id: *next_id, weight, active: 0, inactive: 0, is_overloaded: false };
            list.insert(0, server);
        }
        _ if list.is_empty() => return false,
        Event::Edit { which, weight } => list[which % count].weight = weight,
        Event::Delete { which } => drop(list.remove(which % count)),
        Event::Overload { which, is_overloaded } => {
            list[which % count].is_overloaded = is_overloaded;
            return false;
        }
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn stateless_schedulers_choose_as_the_reference(list in servers(weight(), 12)) {
        let cursor = Cell::new(0);
        for never_stops in [false, true] {
            let pool = VecPool { never_stops, ..VecPool::new(&list, &cursor) };
            prop_assert_eq!(pool.id(lc::choose(&pool)), reference::lc(&list), "lc");
            prop_assert_eq!(pool.id(wlc::choose(&pool)), reference::wlc(&list), "wlc");
            prop_assert_eq!(pool.id(sed::choose(&pool)), reference::sed(&list), "sed");
            prop_assert_eq!(pool.id(nq::choose(&pool)), reference::nq(&list), "nq");
            prop_assert_eq!(pool.id(fo::choose(&pool)), reference::fo(&list), "fo");
            prop_assert_eq!(pool.id(ovf::choose(&pool)), reference::ovf(&list), "ovf");
        }
    }

    #[test]
    fn rr_keeps_its_place_through_edits(events in events()) {
        let (cursor, mut list, mut next_id) = (Cell::new(rr::START), Vec::new(), 0);
        let mut reference = Rr::default();
        for event in &events {
            let before: Vec<u32> = list.iter().map(|server: &Server| server.id).collect();
            if let (Event::Delete { which }, false) = (event, list.is_empty()) {
                reference.delete(&list, list[which % list.len()].id);
            }
            if apply(event, &mut list, &mut next_id) {
                let now: Vec<u32> = list.iter().map(|server| server.id).collect();
                cursor.set(rr::reseat(&before, &now, cursor.get()));
            }
            if matches!(event, Event::Choose) {
                let pool = VecPool::new(&list, &cursor);
                prop_assert_eq!(pool.id(rr::choose(&pool)), reference.choose(&list));
            }
        }
    }

    #[test]
    fn wrr_leaps_where_the_kernel_walks(events in events(), first in servers(1..6_u32, 4)) {
        let (mut list, mut next_id) = (first, 100);
        let mut reference = Wrr::new(&list);
        let rounds = |list: &[Server]| wrr::params(list.iter().map(|server| server.weight));
        let cursor = Cell::new(wrr::start(rounds(&list)));
        for event in &events {
            if apply(event, &mut list, &mut next_id) {
                cursor.set(wrr::reseat(rounds(&list), cursor.get()));
                reference.changed(&list);
            }
            if matches!(event, Event::Choose) {
                let pool = VecPool::new(&list, &cursor);
                let chosen = pool.id(wrr::choose(rounds(&list), &pool));
                prop_assert_eq!(chosen, reference.choose(&list));
            }
        }
    }

    #[test]
    fn wrr_and_rr_do_without_the_break(list in servers(weight(), 9), steps in 1..40_usize) {
        let rounds = wrr::params(list.iter().map(|server| server.weight));
        let cursors = [Cell::new(wrr::start(rounds)), Cell::new(wrr::start(rounds))];
        for _ in 0..steps {
            let stopping = VecPool::new(&list, &cursors[0]);
            let unstoppable =
                VecPool { never_stops: true, ..VecPool::new(&list, &cursors[1]) };
            prop_assert_eq!(wrr::choose(rounds, &stopping), wrr::choose(rounds, &unstoppable));
            prop_assert_eq!(cursors[0].get(), cursors[1].get());
        }
        for cursor in &cursors {
            cursor.set(rr::START);
        }
        for _ in 0..steps {
            let stopping = VecPool::new(&list, &cursors[0]);
            let unstoppable =
                VecPool { never_stops: true, ..VecPool::new(&list, &cursors[1]) };
            prop_assert_eq!(rr::choose(&stopping), rr::choose(&unstoppable));
        }
    }

    #[test]
    fn no_step_is_taken_twice_when_cpus_meet(
        weights in vec(1..5_u32, 1..6),
        rivals in vec(0..=3_u32, 1..30),
    ) {
        let server =
            |(id, &weight)| Server { id, weight, active: 0, inactive: 0, is_overloaded: false };
        let list: Vec<_> = (1..).zip(&weights).map(server).collect();
        let rounds = wrr::params(weights.iter().copied());
        let cursor = Cell::new(wrr::start(rounds));
        let mut reference = Wrr::new(&list);
        for rivals in rivals {
            let pool = VecPool { rivals: Cell::new(rivals), ..VecPool::new(&list, &cursor) };
            let ours = pool.id(wrr::choose(rounds, &pool));
            for _ in 0..rivals {
                reference.choose(&list);
            }
            prop_assert_eq!(ours, reference.choose(&list));
        }
    }
}
