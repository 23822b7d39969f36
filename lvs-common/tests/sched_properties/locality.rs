//! lblc and lblcr against hash maps of lists.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use lvs_common::sched::{Candidate, Locality, Pool, Remembered, Transparent, lblc, lblcr};
use proptest::{collection::vec, prelude::*};

use crate::reference::{Server, wlc};

const EXPIRATION: u64 = 50;

/// A service's real servers, deleted ones included, and what both sides remember.
struct Service {
    /// Newest first.
    list: Vec<Server>,
    deleted: Vec<Server>,
    memory: HashMap<u8, (Cell<bool>, Remembered)>,
    /// Newest first, and when it last changed.
    sets: RefCell<HashMap<u8, (Vec<u32>, u64)>>,
    now: u64,
}

/// The service as a packet to one address sees it.
struct To<'a>(&'a Service, u8);

impl Pool for To<'_> {
    type Opaque = Transparent;

    fn len(&self) -> u32 {
        u32::try_from(self.0.list.len()).unwrap()
    }

    fn candidate(&self, position: u32) -> Option<Candidate> {
        self.0.list.get(position as usize).map(candidate)
    }

    fn bucket(&self, _index: u32) -> Option<u32> {
        None
    }

    fn cursor(&self) -> u64 {
        0
    }

    fn swap_cursor(&self, _seen: u64, _new: u64) -> bool {
        false
    }

    fn random(&self) -> u32 {
        0
    }
}

impl Locality for To<'_> {
    fn remembered(&self) -> Option<&Remembered> {
        let (is_known, remembered) = &self.0.memory[&self.1];
        is_known.get().then_some(remembered)
    }

    fn begin(&self) -> Option<&Remembered> {
        let (is_known, remembered) = &self.0.memory[&self.1];
        is_known.set(true);
        Some(remembered)
    }

    fn id(&self, position: u32) -> Option<u32> {
        self.0.list.get(position as usize).map(|server| server.id)
    }

    fn position(&self, id: u32) -> Option<u32> {
        let position = self.0.list.iter().position(|server| server.id == id)?;
        Some(u32::try_from(position).unwrap())
    }

    fn server(&self, id: u32) -> Option<Candidate> {
        let there = self.0.list.iter().find(|server| server.id == id).map(candidate);
        there.or_else(|| {
            let gone = self.0.deleted.iter().find(|server| server.id == id)?;
            Some(Candidate { overloaded: 1, ..candidate(gone) })
        })
    }

    fn now_ns(&self) -> u64 {
        self.0.now
    }

    fn expiration_ns(&self) -> u64 {
        EXPIRATION
    }
}

fn candidate(server: &Server) -> Candidate {
    Candidate {
        weight: server.weight,
        active: server.active,
        inactive: server.inactive,
        overloaded: server.is_overloaded.into(),
    }
}

impl Service {
    fn is_busy(&self, server: &Server) -> bool {
        let has_time = |other: &Server| 2 * u64::from(other.active) < u64::from(other.weight);
        server.active > server.weight && self.list.iter().any(has_time)
    }

    fn there(&self, id: u32) -> Option<&Server> {
        self.list.iter().find(|server| server.id == id)
    }

    fn lblc(&self, to: u8) -> Option<u32> {
        let mut sets = self.sets.borrow_mut();
        let remembered = sets.get(&to).and_then(|set| self.there(set.0[0]));
        if let Some(server) = remembered.filter(|server| server.weight > 0 && !self.is_busy(server))
        {
            return Some(server.id);
        }
        let id = wlc(&self.list)?;
        sets.insert(to, (vec![id], self.now));
        Some(id)
    }

    fn lblcr(&self, to: u8) -> Option<u32> {
        let mut sets = self.sets.borrow_mut();
        let Some((set, modified)) = sets.get_mut(&to) else {
            let id = wlc(&self.list)?;
            sets.insert(to, (vec![id], self.now));
            return Some(id);
        };
        let members: Vec<Server> = set.iter().filter_map(|&id| self.there(id)).cloned().collect();
        let least = wlc(&members);
        if set.len() > 1 && self.now - *modified > EXPIRATION {
            let all = |&id: &u32| {
                let gone = || self.deleted.iter().find(|server| server.id == id);
                self.there(id).or_else(gone).unwrap()
            };
            // Per weight; `max_by` gives the last of equals, so from behind.
            let most =
                set.iter().map(all).filter(|server| server.weight > 0).rev().max_by(|a, b| {
                    let load = |server: &Server| {
                        u64::from(server.active) * 257 + u64::from(server.inactive)
                    };
                    (load(a) * u64::from(b.weight)).cmp(&(load(b) * u64::from(a.weight)))
                });
            if let Some(most) = most {
                set.retain(|&id| id != most.id);
                *modified = self.now;
            }
        }
        if let Some(id) = least.filter(|&id| !self.is_busy(self.there(id).unwrap())) {
            return Some(id);
        }
        let id = wlc(&self.list)?;
        if !set.contains(&id) {
            set.insert(0, id);
            *modified = self.now;
        }
        Some(id)
    }
}

#[derive(Clone, Debug)]
enum Event {
    Connect { to: u8 },
    Close { which: usize },
    Edit { which: usize, weight: u32, is_overloaded: bool },
    Delete { which: usize },
    Return { which: usize },
    Pass { time: u64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let which = || 0..6_usize;
    let event = prop_oneof![
        20 => (0..3_u8).prop_map(|to| Event::Connect { to }),
        6 => which().prop_map(|which| Event::Close { which }),
        3 => (which(), 0..5_u32, prop::bool::weighted(0.3))
            .prop_map(|(which, weight, is_overloaded)| Event::Edit { which, weight, is_overloaded }),
        1 => which().prop_map(|which| Event::Delete { which }),
        1 => which().prop_map(|which| Event::Return { which }),
        2 => (1..80_u64).prop_map(|time| Event::Pass { time }),
    ];
    vec(event, 1..200)
}

fn check(
    events: &[Event],
    weights: &[u32],
    choose: impl Fn(&To<'_>) -> Option<u32>,
    reference: impl Fn(&Service, u8) -> Option<u32>,
) -> Result<(), TestCaseError> {
    let server =
        |(id, &weight)| Server { id, weight, active: 0, inactive: 0, is_overloaded: false };
    let mut service = Service {
        list: (1..).zip(weights).map(server).collect(),
        deleted: Vec::new(),
        memory: (0..3).map(|to| (to, Default::default())).collect(),
        sets: RefCell::default(),
        now: 1,
    };
    for event in events {
        let count = service.list.len().max(1);
        match *event {
            Event::Connect { to } => {
                let to_address = To(&service, to);
                let chosen = choose(&to_address).and_then(|position| to_address.id(position));
                prop_assert_eq!(chosen, reference(&service, to));
                if let Some(server) =
                    service.list.iter_mut().find(|server| Some(server.id) == chosen)
                {
                    server.active += 1;
                }
            }
            Event::Pass { time } => service.now += time,
            Event::Return { which } if !service.deleted.is_empty() => {
                let back = service.deleted.remove(which % service.deleted.len());
                service.list.insert(0, back);
            }
            Event::Return { .. } => {}
            _ if service.list.is_empty() => {}
            Event::Close { which } => {
                let server = &mut service.list[which % count];
                if server.active > 0 {
                    server.active -= 1;
                    server.inactive += 1;
                }
            }
            Event::Edit { which, weight, is_overloaded } => {
                let server = &mut service.list[which % count];
                (server.weight, server.is_overloaded) = (weight, is_overloaded);
            }
            Event::Delete { which } => {
                let gone = service.list.remove(which % count);
                service.deleted.push(gone);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn lblc_chooses_as_the_reference(events in events(), weights in vec(0..5_u32, 1..6)) {
        check(&events, &weights, |to| lblc::choose(to), Service::lblc)?;
    }

    #[test]
    fn lblcr_chooses_as_the_reference(events in events(), weights in vec(0..5_u32, 1..6)) {
        check(&events, &weights, |to| lblcr::choose(to), Service::lblcr)?;
    }
}
