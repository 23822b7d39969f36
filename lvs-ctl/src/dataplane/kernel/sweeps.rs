//! What the sweeper has done, for whoever asks the data plane how it is.

#![forbid(unsafe_code)]

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lvs_common::{conntable::WAYS, tcp_state::State};

use super::conntable::Swept;
use crate::model::{StateCount, Sweeps, TableStatus};

/// The sweeps so far; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Log {
    buckets: u32,
    sums: Arc<Mutex<Sums>>,
}

#[derive(Debug, Default)]
struct Sums {
    runs: u64,
    total: Duration,
    last_took: Duration,
    expired: u64,
    last: Swept,
}

impl Log {
    /// Of a table with so many buckets.
    pub(super) fn new(buckets: u32) -> Self {
        Self { buckets, sums: Arc::default() }
    }

    /// Notes a sweep.
    pub(super) fn note(&self, swept: Swept, took: Duration) {
        let mut sums = self.sums();
        sums.runs += 1;
        sums.total += took;
        sums.last_took = took;
        sums.expired += swept.expired;
        sums.last = swept;
    }

    /// For the status; nothing before the first sweep.
    pub(super) fn status(&self) -> Option<Sweeps> {
        let sums = self.sums();
        let states = (0u8..).zip(sums.last.states).filter(|(_, connections)| *connections > 0);
        let states = states.map(|(number, connections)| StateCount {
            state: State::from_number(number).name().to_owned(),
            connections,
        });
        (sums.runs > 0).then(|| Sweeps {
            runs: sums.runs,
            total_us: microseconds(sums.total),
            last_us: microseconds(sums.last_took),
            expired: sums.expired,
            states: states.collect(),
        })
    }

    /// How full the connection table was after the last sweep.
    pub(super) fn table(&self) -> TableStatus {
        TableStatus {
            name: "connections".to_owned(),
            used: self.sums().last.live,
            capacity: u64::from(self.buckets) * WAYS as u64,
        }
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_add_up_and_the_last_one_tells_what_stands() {
        let log = Log::new(64);
        assert_eq!((log.status(), log.table().used), (None, 0));
        let mut swept = Swept { live: 3, expired: 2, ..Swept::default() };
        swept.states[usize::from(State::ESTABLISHED.number())] = 1;
        swept.states[usize::from(State::UDP.number())] = 2;
        log.note(Swept { live: 9, expired: 5, ..Swept::default() }, Duration::from_millis(2));
        log.note(swept, Duration::from_millis(1));
        let status = log.status().unwrap();
        assert_eq!(
            (status.runs, status.total_us, status.last_us, status.expired),
            (2, 3000, 1000, 7)
        );
        let seen: Vec<_> =
            status.states.iter().map(|it| (it.state.as_str(), it.connections)).collect();
        assert_eq!(seen, [("ESTABLISHED", 1), ("UDP", 2)]);
        assert_eq!((log.table().used, log.table().capacity), (3, 64 * WAYS as u64));
    }
}
