//! The table with ends: a map from words to the ends that have them.

use std::{collections::BTreeMap, net::Ipv6Addr, sync::atomic::AtomicU64};

use lvs_common::{
    conntable::{
        self, Insert, Key, New,
        ends::{BUCKET, Ends, find_between, insert_between},
        hashes,
        shared::View,
    },
    map::Method,
    net::{Addr, Addr6},
    tcp_state::State,
};
use proptest::{collection::vec, prelude::*};

use super::{BUCKETS, SEED, id, key};

#[derive(Clone, Debug)]
enum Step {
    Insert { key: Key, twin: u16, state: State },
    Find { key: Key, twin: u16 },
    Remove { key: Key, twin: u16 },
}

/// The ends of one of those who have the same words.
fn ends(key: Key, twin: u16) -> Ends {
    let address = |word: u64, of: u16| {
        Addr6::new(Addr::from(Ipv6Addr::from_bits(u128::from(of) << 112 | u128::from(word))))
    };
    // Twins differ in the client, in the virtual address, or in both.
    let (client, virtual_address) = (twin & 1, twin >> 1);
    Ends {
        client: address(key.client, client),
        virtual_address: address(key.virtual_end, virtual_address),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let state = (1..12_u8).prop_map(State::from_number);
    prop_oneof![
        3 => (key(), 0..4_u16, state).prop_map(|(key, twin, state)| Step::Insert { key, twin, state }),
        2 => (key(), 0..4_u16).prop_map(|(key, twin)| Step::Find { key, twin }),
        1 => (key(), 0..4_u16).prop_map(|(key, twin)| Step::Remove { key, twin }),
    ]
}

proptest! {
    #[test]
    fn a_connection_is_found_by_its_own_ends_only(steps in vec(step(), 1..300)) {
        let words: Vec<_> = (0..BUCKETS as usize * BUCKET).map(|_| AtomicU64::new(0)).collect();
        let table = View::with_ends(&words);
        let mut known = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert { key, twin, state } => {
                    let new = New {
                        key,
                        dest: 1,
                        method: Method::MASQ,
                        keeps_port: false,
                        state,
                        peer: 7,
                        now: 0,
                        expires: 100,
                    };
                    let ends = ends(key, twin);
                    let before = known.get(&id(key)).copied();
                    let done = insert_between(&table, hashes(key.client, SEED), new, &ends);
                    if let Some(evicted) = done.evicted {
                        prop_assert!(known.remove(&id(evicted.key())).is_some());
                    }
                    match done.what {
                        Insert::New(hit) => {
                            prop_assert_eq!(known.insert(id(key), ends), None);
                            prop_assert_eq!(Ends::read(&hit), Some(ends));
                        }
                        Insert::Exists(_) => prop_assert_eq!(before, Some(ends)),
                        Insert::Racing => prop_assert!(before.is_some_and(|other| other != ends)),
                        Insert::Full => prop_assert_eq!(done.evicted, None),
                    }
                }
                Step::Find { key, twin } => {
                    let ends = ends(key, twin);
                    let hit = find_between(&table, hashes(key.client, SEED), key, &ends);
                    let is_known = known.get(&id(key)) == Some(&ends);
                    prop_assert_eq!(hit.is_some_and(|hit| hit.entry.key() == key), is_known);
                }
                Step::Remove { key, twin } => {
                    let ends = ends(key, twin);
                    let hit = find_between(&table, hashes(key.client, SEED), key, &ends);
                    if let Some(hit) = hit {
                        prop_assert!(conntable::remove(&hit));
                        prop_assert_eq!(Ends::read(&hit), None);
                        prop_assert_eq!(known.remove(&id(key)), Some(ends));
                    }
                }
            }
            let standing: BTreeMap<_, _> =
                table.hits().map(|hit| (id(hit.entry.key()), Ends::read(&hit).unwrap())).collect();
            prop_assert_eq!(&standing, &known);
        }
    }
}
