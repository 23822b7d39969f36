//! What may happen at once. Client 5's connection goes to real server 1 or 2, 7's to 3.

use lvs_common::tcp_state::State;

use crate::{
    lens::Fault,
    scene::{Scene, explore, peer},
};

const LIVING: u32 = 1900;
const EXPIRED: u32 = 1;

/// Two CPUs insert one connection while the lower slot is being freed: they may claim both slots without
/// having seen each other's.
pub(crate) fn insert_insert_end(fault: Option<Fault>) {
    explore("insert_insert_end", Some(3), move || {
        let scene = Scene::new(fault);
        scene.put(0, 8, 8, State::ESTABLISHED, LIVING);
        let (end, one, two) = (scene.ends(8), scene.inserts(5, 1), scene.inserts(5, 2));
        let won = [one, two].map(|thread| thread.join().unwrap().is_new);
        assert!(end.join().unwrap(), "nobody else ends it");
        let standing = scene.standing(5);
        assert!(standing.len() <= 1, "it stands twice");
        let won = won.into_iter().filter(|won| *won).count();
        assert_eq!(standing.len(), won, "what insertions said is what stands");
        scene.is_tidy();
    });
}

/// Two CPUs insert one connection into two free slots, and a third looks it up.
pub(crate) fn insert_insert_read(fault: Option<Fault>) {
    explore("insert_insert_read", Some(3), move || {
        let scene = Scene::new(fault);
        let (one, reader, two) = (scene.inserts(5, 1), scene.reads(5), scene.inserts(5, 2));
        one.join().unwrap();
        two.join().unwrap();
        if let Some((dest, seen)) = reader.join().unwrap() {
            assert_eq!(seen, peer(5, dest), "half of one and half of another");
        }
        assert!(scene.standing(5).len() <= 1, "it stands twice");
        scene.is_tidy();
    });
}

/// Two CPUs insert connections that begin, and there is room for both: the one that has just taken a free
/// way is not given up for the one that wanted it too.
pub(crate) fn open_open(fault: Option<Fault>) {
    explore("open_open", None, move || {
        let scene = Scene::new(fault);
        let threads = [scene.opens(5, 1), scene.opens(7, 3)];
        for inserted in threads.map(|thread| thread.join().unwrap()) {
            assert!(inserted.evicted.is_none(), "one was given up where there was room");
        }
        scene.is_tidy();
    });
}

/// Three CPUs insert one connection.
pub(crate) fn insert_three(fault: Option<Fault>) {
    explore("insert_three", Some(2), move || {
        let scene = Scene::new(fault);
        scene.put(0, 8, 8, State::CLOSE, EXPIRED);
        let threads = [1, 2, 3].map(|dest| scene.inserts(5, dest));
        let won = threads.map(|thread| thread.join().unwrap().is_new);
        let standing = scene.standing(5);
        assert!(standing.len() <= 1, "it stands twice");
        let won = won.into_iter().filter(|won| *won).count();
        assert_eq!(standing.len(), won, "what insertions said is what stands");
        scene.is_tidy();
    });
}

/// A connection is looked up while its slot is given to another: never the other's real server.
pub(crate) fn find_evict(fault: Option<Fault>) {
    explore("find_evict", None, move || {
        let scene = Scene::new(fault);
        scene.put(0, 5, 1, State::SYN_RECV, LIVING);
        scene.put(1, 6, 2, State::ESTABLISHED, LIVING);
        let (evict, find) = (scene.inserts(7, 3), scene.finds(5));
        evict.join().unwrap();
        if let Some(dest) = find.join().unwrap() {
            assert_eq!(dest, 1, "another's real server");
        }
        scene.is_tidy();
    });
}

/// The same with the peer's word, and a look at the newcomer.
pub(crate) fn read_evict(fault: Option<Fault>) {
    explore("read_evict", Some(3), move || {
        let scene = Scene::new(fault);
        scene.put(0, 5, 1, State::SYN_RECV, LIVING);
        scene.put(1, 6, 2, State::ESTABLISHED, LIVING);
        let (evict, five, seven) = (scene.inserts(7, 3), scene.reads(5), scene.reads(7));
        let evicted = evict.join().unwrap().evicted.expect("half-open gives way");
        assert_eq!(evicted.dest(), 1);
        if let Some(seen) = five.join().unwrap() {
            assert_eq!(seen, (1, peer(5, 1)), "half of one and half of another");
        }
        if let Some(seen) = seven.join().unwrap() {
            assert_eq!(seen, (3, peer(7, 3)), "half of one and half of another");
        }
        scene.is_tidy();
    });
}

/// A half-open connection is established while another wants its slot: one of the two.
pub(crate) fn establish_evict(fault: Option<Fault>) {
    explore("establish_evict", None, move || {
        let scene = Scene::new(fault);
        scene.put(0, 5, 1, State::SYN_RECV, LIVING);
        scene.put(1, 6, 2, State::ESTABLISHED, LIVING);
        let (evict, establish) = (scene.inserts(7, 3), scene.establishes(5));
        let evicted = evict.join().unwrap().evicted;
        let is_established = establish.join().unwrap();
        assert!(!is_established || evicted.is_none(), "an established connection was given up");
        assert_eq!(scene.standing(5).is_empty(), evicted.is_some(), "it is there, or was evicted");
        scene.is_tidy();
    });
}

/// The sweeper takes an expired connection while a CPU inserts another over it and a third looks.
pub(crate) fn insert_sweep_read(fault: Option<Fault>) {
    explore("insert_sweep_read", Some(2), move || {
        let scene = Scene::new(fault);
        scene.put(0, 5, 1, State::ESTABLISHED, EXPIRED);
        scene.put(1, 6, 2, State::ESTABLISHED, LIVING);
        let (sweep, reader, insert) = (scene.sweeps(), scene.reads(5), scene.inserts(7, 3));
        let (swept, inserted) = (sweep.join().unwrap(), insert.join().unwrap());
        if let Some(seen) = reader.join().unwrap() {
            assert_eq!(seen, (1, peer(5, 1)), "half of one and half of another");
        }
        assert!(swept ^ inserted.evicted.is_some(), "the old one left exactly once");
        assert_eq!(scene.standing(7).len(), usize::from(inserted.is_new));
        scene.is_tidy();
    });
}

/// Declares a test for each model.
macro_rules! hold {
    ($($model:ident)+) => {
        mod hold {
            $(#[test] fn $model() { super::$model(None); })+
        }
    };
}

hold!(
    insert_insert_end
    insert_insert_read
    open_open
    insert_three
    find_evict
    read_evict
    establish_evict
    insert_sweep_read
);
