//! Several threads that send at once, beside the sweeper and a clock that runs.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lvs_tests::rig::Rig;

use crate::sender::Sender;

pub(crate) const THREADS: u16 = 4;

/// How long each test sends.
const SPELL: Duration = Duration::from_secs(3);

/// Runs `body` in threads until the spell is over, with the sweeper going round and round; after each round, so
/// much time passes.
pub(crate) fn in_threads(
    rig: &Rig<'_>,
    tick: Duration,
    body: impl Fn(u16, &Sender, &AtomicBool) + Sync,
) {
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<Sender> = (0..THREADS).map(|_| Sender::new(rig)).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .zip(&senders)
            .map(|(number, sender)| {
                let (body, stop) = (&body, Arc::clone(&stop));
                scope.spawn(move || body(number, sender, &stop))
            })
            .collect();
        let (sweeper, time) = (rig.sweeper(), rig.time());
        let until = Instant::now() + SPELL;
        // A thread that has panicked ends the spell for all.
        while Instant::now() < until && !threads.iter().any(thread::ScopedJoinHandle::is_finished) {
            let _swept = sweeper.sweep();
            time.advance(tick);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// The real server that the first thread was led to is everybody's.
pub(crate) fn agree(on: &AtomicU32, server: SocketAddr, client: SocketAddr) {
    let SocketAddr::V4(at) = server else { unreachable!("IPv4 only") };
    let found = at.ip().to_bits();
    let before = on.compare_exchange(0, found, Ordering::AcqRel, Ordering::Acquire);
    let before = before.unwrap_or_else(|before| before);
    assert!(before == 0 || before == found, "{client} has two real servers");
}

/// The next state of Numerical Recipes' generator: any will do.
pub(crate) fn after(state: u64) -> u64 {
    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}
