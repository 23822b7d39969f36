//! The connection table, one operation after the other, against a map.
//!
//! Under miri the random one takes too long; the library's own tests of the table and the headers do
//! not: `cargo xtask miri`.

mod ends;

use std::{collections::BTreeMap, sync::atomic::AtomicU64};

use lvs_common::{
    conntable::{
        self, Buckets as _, Entry, Hit, Insert, Key, New, WAYS, hashes, index,
        shared::{BUCKET, View},
        word,
    },
    map::Method,
    net::{Be16, Be32},
    tcp_state::{Direction, State, Transitions},
};
use proptest::{collection::vec, prelude::*};

const BUCKETS: u32 = 3;
const SEED: [u64; 2] = [3, 5];

/// What the map holds of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    dest: u32,
    method: Method,
    state: State,
    peer: u64,
    expires: u32,
}

#[derive(Clone, Debug)]
enum Step {
    Insert { key: Key, dest: u32, method: Method, state: State, lifetime: u32 },
    Find { key: Key },
    FindReply { key: Key, peer: u64 },
    Segment { key: Key, flags: u8 },
    Touch { key: Key, lifetime: u32 },
    Remove { key: Key },
    Wait { ticks: u32 },
    Sweep,
}

/// The table under test beside the map.
struct Beside {
    words: Vec<AtomicU64>,
    known: BTreeMap<(u64, u64), Known>,
    now: u32,
}

impl Beside {
    fn new(now: u32) -> Self {
        let words = (0..BUCKETS as usize * BUCKET).map(|_| AtomicU64::new(0)).collect();
        Self { words, known: BTreeMap::new(), now }
    }

    fn table(&self) -> View<'_> {
        View::new(&self.words)
    }

    /// The connections that stand in a client's two buckets, and how many could.
    fn rivals(&self, client: u64) -> (Vec<Entry>, usize) {
        let (a, b) = hashes(client, SEED);
        let mut places = vec![index(a, BUCKETS), index(b, BUCKETS)];
        places.dedup();
        let rows = places.iter().map(|place| self.table().at(*place).unwrap());
        let entries = rows.flat_map(|row| (0..WAYS).filter_map(move |way| Entry::read(row, way)));
        (entries.collect(), places.len() * WAYS)
    }

    fn find(&self, key: Key) -> Option<Hit<conntable::shared::Row<'_>>> {
        conntable::find(&self.table(), hashes(key.client, SEED), key)
    }

    fn insert(&mut self, new: New) -> Result<(), TestCaseError> {
        let (rivals, places) = self.rivals(new.key.client);
        let best = rivals.iter().map(|entry| gladness(entry, self.now)).max();
        let was_known = self.known.contains_key(&id(new.key));
        let table = View::new(&self.words);
        let done = conntable::insert(&table, hashes(new.key.client, SEED), new);

        let evicted = done.evicted.map(|entry| id(entry.key()));
        if let Some(entry) = done.evicted {
            prop_assert_eq!(rivals.len(), places, "evicted although there was room");
            let gladness = gladness(&entry, self.now);
            prop_assert!(gladness.is_some() && Some(gladness) == best, "not the best to give up");
            prop_assert!(self.known.remove(&id(entry.key())).is_some());
        }
        match done.what {
            Insert::New(hit) => {
                prop_assert!(!was_known || evicted == Some(id(new.key)), "it stood already");
                prop_assert_eq!(hit.entry.key(), new.key);
                prop_assert_eq!(hit.peer(), Some(new.peer));
                let known = Known {
                    dest: new.dest,
                    method: new.method,
                    state: new.state,
                    peer: new.peer,
                    expires: new.expires,
                };
                self.known.insert(id(new.key), known);
            }
            Insert::Exists(hit) => {
                prop_assert!(was_known);
                prop_assert_eq!(hit.entry.key(), new.key);
            }
            Insert::Full => {
                prop_assert_eq!(rivals.len(), places, "full although there was room");
                prop_assert!(best.flatten().is_none(), "full although one was to be given up");
                prop_assert_eq!(evicted, None);
            }
            Insert::Racing => prop_assert!(false, "there is nobody to race"),
        }
        Ok(())
    }

    fn takes(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Insert { key, dest, method, state, lifetime } => {
                let expires = self.now.wrapping_add(lifetime);
                let peer = peer_of(dest);
                self.insert(New {
                    key,
                    dest,
                    method,
                    keeps_port: false,
                    state,
                    peer,
                    now: self.now,
                    expires,
                })?;
            }
            Step::Find { key } => {
                let hit = self.find(key);
                let found = hit.map(|hit| known(&hit.entry, hit.peer().unwrap()));
                prop_assert_eq!(found, self.known.get(&id(key)).copied());
            }
            Step::FindReply { key, peer } => {
                let hashes = hashes(key.client, SEED);
                let hit = conntable::find_reply(&self.table(), hashes, key.client, peer);
                let is_it = |(id, known): (&(u64, u64), &Known)| {
                    (id.0 == key.client && known.peer == peer).then_some(*id)
                };
                let candidates: Vec<_> = self.known.iter().filter_map(is_it).collect();
                match hit {
                    Some(hit) => prop_assert!(candidates.contains(&id(hit.entry.key()))),
                    None => prop_assert!(candidates.is_empty(), "{:?}", candidates),
                }
            }
            Step::Segment { key, flags } => {
                let transitions = Transitions::of(Direction::INPUT, flags, 0);
                let moved =
                    self.find(key).map(|hit| conntable::set_state(&hit, transitions).unwrap());
                if let Some(known) = self.known.get_mut(&id(key)) {
                    let after = transitions.after(known.state);
                    prop_assert_eq!(moved, Some((known.state, after)));
                    known.state = after;
                }
            }
            Step::Touch { key, lifetime } => {
                let expires = self.now.wrapping_add(lifetime);
                if let Some(hit) = self.find(key) {
                    hit.touch(expires);
                }
                if let Some(known) = self.known.get_mut(&id(key)) {
                    known.expires = expires;
                }
            }
            Step::Remove { key } => {
                let removed = self.find(key).is_some_and(|hit| {
                    // The same twice: the second time it is not there any more.
                    conntable::remove(&hit) && !conntable::remove(&hit)
                });
                prop_assert_eq!(removed, self.known.remove(&id(key)).is_some());
            }
            Step::Wait { ticks } => self.now = self.now.wrapping_add(ticks),
            Step::Sweep => {
                let now = self.now;
                for bucket in self.table().rows() {
                    for way in 0..WAYS {
                        if let Some(entry) = Entry::read(bucket, way).filter(|e| e.is_expired(now))
                        {
                            let is_swept = conntable::remove(&Hit { bucket, way, entry });
                            prop_assert!(is_swept);
                        }
                    }
                }
                self.known.retain(|_, known| now.wrapping_sub(known.expires) >= 1 << 31);
            }
        }
        self.holds_what_is_known()
    }

    fn holds_what_is_known(&self) -> Result<(), TestCaseError> {
        let entries = self.table().entries().map(|entry| {
            let hit = self.find(entry.key()).unwrap();
            (id(entry.key()), known(&entry, hit.peer().unwrap()))
        });
        let mut standing: Vec<_> = entries.collect();
        standing.sort_by_key(|(id, _)| *id);
        prop_assert_eq!(standing, self.known.clone().into_iter().collect::<Vec<_>>());
        prop_assert_eq!(self.table().claims(), 0);
        Ok(())
    }
}

/// How gladly a connection is given up: expired before closed before half-open, of expired ones too;
/// then the one nearest its end.
fn gladness(entry: &Entry, now: u32) -> Option<([bool; 3], u32)> {
    const CLOSED: [State; 3] = [State::TIME_WAIT, State::CLOSE, State::NONE];
    const HALF_OPEN: [State; 3] = [State::SYN_SENT, State::SYN_RECV, State::SYNACK];
    let state = entry.state();
    let class = [entry.is_expired(now), CLOSED.contains(&state), HALF_OPEN.contains(&state)];
    let age = now.wrapping_sub(entry.expires()).wrapping_add(1 << 31);
    class.contains(&true).then_some((class, age))
}

fn known(entry: &Entry, peer: u64) -> Known {
    Known {
        dest: entry.dest(),
        method: entry.method(),
        state: entry.state(),
        peer,
        expires: entry.expires(),
    }
}

fn id(key: Key) -> (u64, u64) {
    (key.client, key.virtual_end)
}

fn peer_of(dest: u32) -> u64 {
    word::end(Be32::new(0xcb00_7100 | dest & 0xff), Be16::new(8080))
}

/// Few, so that they meet; one is all zeros, as free slots are.
fn key() -> impl Strategy<Value = Key> {
    let client = (0..20_u32, 0..2_u16, prop_oneof![Just(word::TCP), Just(word::UDP)]);
    (client, 0..2_u16).prop_map(|((host, port, protocol), vport)| {
        let host = if host == 0 { 0 } else { 0xc000_0200 + host };
        Key::new(protocol, Be32::new(host), Be16::new(port), Be32::new(7), Be16::new(vport))
    })
}

fn step() -> impl Strategy<Value = Step> {
    let dest = || prop_oneof![0..3_u32, Just(0x0fff_ffff), Just(0x1_0000)];
    let method = prop_oneof![Just(Method::MASQ), Just(Method::DIRECT_ROUTE)];
    let state = (0..12_u8).prop_map(State::from_number);
    let lifetime = || prop_oneof![1..50_u32, Just(90_000)];
    prop_oneof![
        12 => (key(), dest(), method, state, lifetime()).prop_map(
            |(key, dest, method, state, lifetime)| {
                Step::Insert { key, dest, method, state, lifetime }
            }
        ),
        3 => key().prop_map(|key| Step::Find { key }),
        2 => (key(), dest()).prop_map(|(key, dest)| Step::FindReply { key, peer: peer_of(dest) }),
        4 => (key(), 0..32_u8).prop_map(|(key, flags)| Step::Segment { key, flags }),
        2 => (key(), lifetime()).prop_map(|(key, lifetime)| Step::Touch { key, lifetime }),
        2 => key().prop_map(|key| Step::Remove { key }),
        2 => (0..20_u32).prop_map(|ticks| Step::Wait { ticks }),
        1 => Just(Step::Sweep),
    ]
}

proptest! {
    #[test]
    fn the_table_does_as_a_map(
        // Near the wrapping of the clock, too.
        start in prop_oneof![Just(0_u32), Just(u32::MAX - 100), any::<u32>()],
        steps in vec(step(), 1..300),
    ) {
        let mut beside = Beside::new(start);
        for step in &steps {
            beside.takes(step)?;
        }
    }
}

#[test]
fn a_slot_that_changed_hands_256_times_still_tells_the_connections_apart() {
    let mut beside = Beside::new(0);
    let key = Key::new(word::TCP, Be32::new(1), Be16::new(1), Be32::new(7), Be16::new(80));
    let new = New {
        key,
        dest: 1,
        method: Method::MASQ,
        keeps_port: false,
        state: State::ESTABLISHED,
        peer: peer_of(1),
        now: 0,
        expires: 100,
    };
    let mut last = None;
    for _ in 0..600 {
        beside.insert(new).unwrap();
        let entry = beside.find(key).unwrap().entry;
        assert_ne!(last, Some(entry.w0), "the generation tells");
        last = Some(entry.w0);
        beside.takes(&Step::Remove { key }).unwrap();
    }
}
