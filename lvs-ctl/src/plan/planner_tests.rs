use lvs_common::map::Dest as Value;

use super::*;
use crate::{
    model::{Change, Dest, LoopbackOnly, Method, Pool, Protocol, SchedulerFlags, Service},
    plan::adopt::Found,
};

fn web() -> ServiceId {
    ServiceId::Address { protocol: Protocol::Tcp, address: [192, 0, 2, 1].into(), port: 80 }
}

fn dest(last: u8) -> Dest {
    let addr = DestAddr { address: [10, 0, 0, last].into(), port: 80 };
    Dest { addr, method: Method::DirectRoute, weight: 1, upper_threshold: 0, lower_threshold: 0 }
}

/// A service whose real servers are `listed`, newest first, and others that are only checked.
fn table(listed: &[u8], aside: &[u8]) -> Table {
    let mut table = Table::default();
    let service = Service {
        id: web(),
        scheduler: "rr".into(),
        scheduler_flags: SchedulerFlags::default(),
        persistence: None,
        engine: None,
        one_packet: false,
    };
    let added =
        listed.iter().rev().map(|last| Change::AddDest { service: web(), dest: dest(*last) });
    for change in [Change::AddService(service)].into_iter().chain(added) {
        table.apply(&change, &LoopbackOnly).unwrap();
    }
    let pool = Pool::of(table.get(&web()).unwrap().pool.iter().copied());
    let aside = aside.iter().map(|last| dest(*last)).collect();
    table.with_pool(&web(), pool.with_aside(aside))
}

/// What the maps hold after the writes.
#[derive(Default)]
struct Maps {
    planner: Planner,
    dests: HashMap<u32, Value>,
    pool: Vec<PoolEntry>,
    service: Option<map::Service>,
}

impl Maps {
    fn commit(&mut self, table: &Table) {
        let ops = self.planner.plan(table, &[web()], &|_| 0).unwrap();
        self.write(ops);
    }

    fn collect(&mut self) {
        let ops = self.planner.collect(|_| true, |_| false);
        self.write(ops);
    }

    fn write(&mut self, ops: Vec<Op>) {
        for op in ops {
            match op {
                Op::Dest(slot, value) => drop(self.dests.insert(slot, value)),
                Op::Pool(_, entries) => self.pool = entries,
                Op::Service(_, value) => self.service = Some(value),
                Op::NoService(_) => self.service = None,
                _ => (),
            }
        }
    }

    /// Another controller takes over.
    fn adopted(self) -> Self {
        let used = self.dests.iter().filter(|(_, value)| value.flags != 0);
        let dests = used.map(|(slot, value)| (*slot, *value)).collect();
        let service = self.service.map(|value| (compile::key(&web()), value, self.pool.clone()));
        let services = service.into_iter().collect();
        Self { planner: Planner::adopt(Found { services, dests, era: 0 }), ..self }
    }

    /// Slot and flags.
    fn of(&self, last: u8) -> Option<(u32, u32)> {
        let slot = self.planner.slot(&web(), &dest(last).addr)?;
        Some((slot, self.dests[&slot].flags))
    }

    fn listed(&self) -> Vec<u32> {
        self.pool.iter().map(|entry| entry.dest).collect()
    }
}

const LISTED: u32 = Value::USED | Value::AVAILABLE;
const ASIDE: u32 = Value::USED | Value::PROBED;

#[test]
fn who_is_held_aside_keeps_its_slot_and_is_in_no_pool() {
    let mut maps = Maps::default();
    maps.commit(&table(&[2, 1], &[9]));
    let (one, _) = maps.of(1).unwrap();
    let (two, _) = maps.of(2).unwrap();
    let (nine, flags) = maps.of(9).unwrap();
    assert_eq!((maps.listed(), flags), (vec![two, one], ASIDE));
    maps.commit(&table(&[2], &[1, 9]));
    for _ in 0..3 {
        maps.collect();
    }
    assert_eq!(maps.listed(), [two]);
    assert_eq!([maps.of(1), maps.of(9)], [Some((one, ASIDE)), Some((nine, ASIDE))]);
    assert!(maps.planner.addresses().any(|address| address == dest(9).addr.address));
    maps.commit(&table(&[1, 2], &[9]));
    assert_eq!((maps.listed(), maps.of(1)), (vec![one, two], Some((one, LISTED))));
}

#[test]
fn who_is_held_aside_no_more_is_gone() {
    let mut maps = Maps::default();
    maps.commit(&table(&[1], &[9]));
    let (nine, _) = maps.of(9).unwrap();
    maps.commit(&table(&[1], &[]));
    assert_eq!(maps.of(9), Some((nine, Value::USED)), "a packet may be under way");
    maps.collect();
    assert_eq!((maps.of(9), maps.dests[&nine].flags), (None, 0));
}

#[test]
fn another_controller_knows_who_is_held_aside() {
    let mut maps = Maps::default();
    maps.commit(&table(&[1], &[8, 9]));
    let nine = maps.of(9);
    let mut maps = maps.adopted();
    maps.collect();
    maps.commit(&table(&[1], &[9]));
    assert_eq!(maps.of(9), nine);
    maps.collect();
    assert_eq!(maps.of(8), None);
    maps.service = None;
    let mut maps = maps.adopted();
    maps.collect();
    assert_eq!(maps.of(9), None, "its service is nowhere");
}
