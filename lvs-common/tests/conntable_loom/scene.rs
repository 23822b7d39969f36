//! A small table and what CPUs do with it.

use std::{
    sync::{
        Arc as StdArc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use loom::{
    sync::{Arc, atomic::AtomicU64},
    thread::{self, JoinHandle},
};
use lvs_common::{
    conntable::{
        self, Bucket as _, Buckets as _, Entry, Hit, Insert, Key, New, WAYS,
        shared::{BUCKET, View},
        word,
    },
    map::Method,
    net::{Be16, Be32},
    tcp_state::{Direction, State, Transitions},
    wire::Tcp,
};

use crate::lens::{Fault, Lens, Notes};

/// The time that all happens at.
const NOW: u32 = 1000;
/// The first bucket, then the other.
const HASHES: (u32, u32) = (0, u32::MAX);
/// The way of each bucket that is not taken by others.
const WAY: usize = 3;

/// Exploring is cut off then, and says so.
const LONGEST: Duration = Duration::from_secs(100);

/// A table of two buckets, both with one way to contend for.
#[derive(Clone)]
pub(crate) struct Scene {
    words: Arc<Vec<AtomicU64>>,
    fault: Option<Fault>,
}

/// What an insertion came to.
#[derive(Clone, Copy)]
pub(crate) struct Inserted {
    pub(crate) is_new: bool,
    pub(crate) evicted: Option<Entry>,
}

/// What a reader may use: the slot of a real server and the peer's word.
pub(crate) type Seen = Option<(u32, u64)>;

/// Explores every execution of the model, up to so many preemptions each.
pub(crate) fn explore(
    name: &str,
    preemptions: Option<usize>,
    model: impl Fn() + Sync + Send + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 100_000;
    builder.max_duration = Some(LONGEST);
    let begun = Instant::now();
    let explored = StdArc::new(AtomicUsize::new(0));
    let count = explored.clone();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let explored = explored.load(Ordering::Relaxed);
    let end = if begun.elapsed() < LONGEST { "all" } else { "cut off" };
    println!("{name}: explored {explored} ({end}), preemptions {preemptions:?}");
    assert!(explored > 100, "hardly anything was explored");
}

impl Scene {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        let words = (0..2 * BUCKET).map(|_| AtomicU64::new(0)).collect();
        let scene = Self { words: Arc::new(words), fault };
        for place in (0..2 * WAYS).filter(|place| place % WAYS != WAY) {
            let other = 1000 + u32::try_from(place).unwrap();
            scene.put_at(place, other, 9, State::ESTABLISHED, NOW + 900);
        }
        scene
    }

    /// A connection in the way that is left of a bucket.
    pub(crate) fn put(&self, bucket: usize, client: u32, dest: u32, state: State, expires: u32) {
        self.put_at(bucket * WAYS + WAY, client, dest, state, expires);
    }

    fn put_at(&self, place: usize, client: u32, dest: u32, state: State, expires: u32) {
        let row = View::new(&self.words).at(u32::try_from(place / WAYS).unwrap()).unwrap();
        let (way, key) = (place % WAYS, key(client));
        row.store(word::at(way, 1), key.virtual_end | u64::from(dest) << 48);
        row.store(word::at(way, 2), u64::from(expires));
        row.store(word::at(way, 3), peer(client, dest));
        row.store(word::at(way, 0), key.client | word::LIVE | u64::from(state.number()) << 52);
    }

    /// A CPU inserts an established connection.
    pub(crate) fn inserts(&self, client: u32, dest: u32) -> JoinHandle<Inserted> {
        self.inserts_in(State::ESTABLISHED, client, dest)
    }

    /// A CPU inserts a connection that begins: half-open.
    pub(crate) fn opens(&self, client: u32, dest: u32) -> JoinHandle<Inserted> {
        self.inserts_in(State::SYN_RECV, client, dest)
    }

    fn inserts_in(&self, state: State, client: u32, dest: u32) -> JoinHandle<Inserted> {
        self.spawn(move |table| {
            let new = New {
                key: key(client),
                dest,
                method: Method::MASQ,
                keeps_port: false,
                state,
                peer: peer(client, dest),
                now: NOW,
                expires: NOW + 900,
            };
            let done = conntable::insert(table, HASHES, new);
            Inserted { is_new: matches!(done.what, Insert::New(_)), evicted: done.evicted }
        })
    }

    /// A CPU looks a connection up, with its peer's word.
    pub(crate) fn reads(&self, client: u32) -> JoinHandle<Seen> {
        self.spawn(move |table| {
            let hit = conntable::find(table, HASHES, key(client))?;
            hit.peer().map(|peer| (hit.entry.dest(), peer))
        })
    }

    /// A CPU looks a connection up; the slot of its real server.
    pub(crate) fn finds(&self, client: u32) -> JoinHandle<Option<u32>> {
        self.spawn(move |table| {
            conntable::find(table, HASHES, key(client)).map(|hit| hit.entry.dest())
        })
    }

    /// A CPU sees a client's acknowledgment; whether that has established the connection.
    pub(crate) fn establishes(&self, client: u32) -> JoinHandle<bool> {
        self.spawn(move |table| {
            let segment = Transitions::of(Direction::INPUT, Tcp::ACK, 0);
            conntable::find(table, HASHES, key(client))
                .and_then(|hit| conntable::set_state(&hit, segment))
                .is_some()
        })
    }

    /// Somebody ends the connection of a client in the first bucket; whether it was there.
    pub(crate) fn ends(&self, client: u32) -> JoinHandle<bool> {
        self.takes(move |entry| entry.w0 & word::CLIENT == key(client).client)
    }

    /// The sweeper comes by the first bucket; whether it took the connection.
    pub(crate) fn sweeps(&self) -> JoinHandle<bool> {
        self.takes(|entry| entry.is_expired(NOW))
    }

    fn takes(&self, wanted: impl Fn(&Entry) -> bool + Send + 'static) -> JoinHandle<bool> {
        self.spawn(move |table| {
            let bucket = table.at(0).unwrap();
            let entry = Entry::read(bucket, WAY).filter(|entry| wanted(entry));
            entry.is_some_and(|entry| conntable::remove(&Hit { bucket, way: WAY, entry }))
        })
    }

    /// The slots of the real servers of a client's connections, each checked against its peer.
    pub(crate) fn standing(&self, client: u32) -> Vec<u32> {
        let rows = View::new(&self.words).rows();
        let hits = rows.filter_map(|bucket| {
            Entry::read(bucket, WAY).map(|entry| Hit { bucket, way: WAY, entry })
        });
        let mine = hits.filter(|hit| hit.entry.w0 & word::CLIENT == key(client).client);
        mine.map(|hit| {
            assert_eq!(hit.peer(), Some(peer(client, hit.entry.dest())), "a torn connection");
            hit.entry.dest()
        })
        .collect()
    }

    /// When all is over: nobody has left a claim, and the others' connections stand.
    pub(crate) fn is_tidy(&self) {
        let table = View::new(&self.words);
        assert_eq!(table.claims(), 0, "a claim is left");
        let others = table.entries().filter(|entry| entry.dest() == 9);
        assert_eq!(others.count(), 2 * (WAYS - 1), "others' connections");
    }

    fn spawn<R: 'static>(
        &self,
        act: impl FnOnce(&Lens<'_>) -> R + Send + 'static,
    ) -> JoinHandle<R> {
        let scene = self.clone();
        thread::spawn(move || {
            let notes = Notes::default();
            act(&Lens { words: &scene.words, fault: scene.fault, notes: &notes })
        })
    }
}

/// The peer's word of a client's connection to a real server.
pub(crate) fn peer(client: u32, dest: u32) -> u64 {
    word::end(Be32::new(client << 8 | dest), Be16::new(8080))
}

fn key(client: u32) -> Key {
    Key::new(word::TCP, Be32::new(client), Be16::new(1), Be32::new(7), Be16::new(80))
}
