use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytemuck::Zeroable as _;
use lvs_common::{map::DatagramKey, net::Be32};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::yield_now,
    time::{Instant, sleep},
};

use super::{
    run,
    store::{MAX, MAX_EACH, PATIENCE, Store},
};
use crate::dataplane::early::{Event, Fragment, Fragments};

/// What a data plane knows and was told.
#[derive(Debug, Default)]
struct Seen {
    known: BTreeSet<DatagramKey>,
    released: Vec<(Be32, u32)>,
    waits: bool,
}

struct Plane {
    early: UnboundedReceiver<Fragment>,
    firsts: UnboundedReceiver<DatagramKey>,
    seen: Arc<Mutex<Seen>>,
}

/// The other side of it.
struct Wire {
    early: UnboundedSender<Fragment>,
    firsts: UnboundedSender<DatagramKey>,
    seen: Arc<Mutex<Seen>>,
}

impl Fragments for Plane {
    async fn next(&mut self, has_room: bool) -> std::io::Result<Event> {
        let ended = || std::io::ErrorKind::UnexpectedEof.into();
        tokio::select! {
            biased;
            key = self.firsts.recv() => key.map(Event::First).ok_or_else(ended),
            early = self.early.recv(), if has_room => early.map(Event::Early).ok_or_else(ended),
        }
    }

    fn waits(&mut self, waits: bool) {
        self.seen.lock().unwrap().waits = waits;
    }

    fn knows(&self, key: &DatagramKey) -> bool {
        self.seen.lock().unwrap().known.contains(key)
    }

    fn release(&mut self, fragment: &Fragment) -> std::io::Result<()> {
        self.seen.lock().unwrap().released.push((fragment.key.id, fragment.start));
        Err(std::io::ErrorKind::NetworkDown.into())
    }
}

impl Wire {
    fn start() -> Self {
        let ((early, early_rx), (firsts, firsts_rx)) = (unbounded_channel(), unbounded_channel());
        let seen = Arc::<Mutex<Seen>>::default();
        let plane = Plane { early: early_rx, firsts: firsts_rx, seen: Arc::clone(&seen) };
        tokio::spawn(run(plane));
        Self { early, firsts, seen }
    }

    fn comes(&self, id: u32, start: u32) {
        self.early.send(fragment(id, start)).unwrap();
    }

    /// What was released since it was last asked, after everything that came.
    async fn released(&self) -> Vec<(u32, u32)> {
        for _ in 0..3 * MAX {
            yield_now().await;
        }
        let released = std::mem::take(&mut self.seen.lock().unwrap().released);
        released.into_iter().map(|(id, start)| (id.get(), start)).collect()
    }

    fn waits(&self) -> bool {
        self.seen.lock().unwrap().waits
    }
}

fn key(id: u32) -> DatagramKey {
    DatagramKey { id: Be32::new(id), ..DatagramKey::zeroed() }
}

fn fragment(id: u32, start: u32) -> Fragment {
    Fragment { key: key(id), start, interface: 1, frame: vec![0; 60] }
}

#[tokio::test(start_paused = true)]
async fn fragments_go_in_order_once_the_first_of_their_datagram_has_come() {
    let wire = Wire::start();
    for (id, start) in [(1, 30), (2, 10), (1, 10), (1, 20)] {
        wire.comes(id, start);
    }
    assert_eq!(wire.released().await, []);
    assert!(wire.waits());
    wire.firsts.send(key(1)).unwrap();
    assert_eq!(wire.released().await, [(1, 10), (1, 20), (1, 30)]);
    assert!(wire.waits(), "another datagram's is still held");
    wire.firsts.send(key(2)).unwrap();
    assert_eq!(wire.released().await, [(2, 10)]);
    assert!(!wire.waits());
}

#[tokio::test(start_paused = true)]
async fn a_fragment_whose_first_came_meanwhile_goes_at_once() {
    let wire = Wire::start();
    wire.seen.lock().unwrap().known.insert(key(7));
    wire.comes(7, 10);
    assert_eq!(wire.released().await, [(7, 10)]);
    assert!(!wire.waits());
}

#[tokio::test(start_paused = true)]
async fn a_first_that_nobody_waits_for_is_nothing() {
    let wire = Wire::start();
    wire.firsts.send(key(1)).unwrap();
    assert_eq!(wire.released().await, []);
}

#[tokio::test(start_paused = true)]
async fn after_a_second_they_go_without_it() {
    let wire = Wire::start();
    wire.comes(1, 10);
    assert_eq!(wire.released().await, []);
    sleep(PATIENCE / 2).await;
    wire.comes(2, 20);
    wire.comes(1, 5);
    assert_eq!(wire.released().await, []);
    sleep(PATIENCE / 2).await;
    assert_eq!(wire.released().await, [(1, 5), (1, 10)]);
    sleep(PATIENCE / 2).await;
    assert_eq!(wire.released().await, [(2, 20)]);
    assert!(!wire.waits());
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_room_for_is_left_to_the_data_plane() {
    let wire = Wire::start();
    for id in 0..u32::try_from(MAX).unwrap() + 5 {
        wire.comes(id, 10);
    }
    assert_eq!(wire.released().await, []);
    wire.firsts.send(key(3)).unwrap();
    assert_eq!(wire.released().await, [(3, 10)]);
    sleep(PATIENCE).await;
    // All but the one that went, and the one that had room then.
    assert_eq!(wire.released().await.len(), MAX);
}

#[test]
fn one_datagram_does_not_take_all_the_room() {
    let (mut store, now) = (Store::default(), Instant::now());
    for start in 1..=u32::try_from(MAX_EACH).unwrap() {
        assert_eq!(store.hold(fragment(1, start), now), None);
    }
    assert_eq!(store.hold(fragment(1, 1000), now), Some(fragment(1, 1000)));
    assert_eq!(store.hold(fragment(2, 1), now), None);
    assert_eq!(store.deadline(), Some(now + PATIENCE));
    assert_eq!(store.overdue(now + PATIENCE - Duration::from_millis(1)), []);
    assert_eq!(store.overdue(now + PATIENCE).len(), MAX_EACH);
    assert!(!store.is_empty());
    assert_eq!(store.overdue(now + PATIENCE).len(), 1);
    assert!(store.is_empty());
}
