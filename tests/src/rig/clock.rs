//! Time, let pass by hand.

use std::{sync::Arc, time::Duration};

use lvs_ctl::dataplane::kernel::{Sweeper, Time};

use super::Rig;

/// The estimators' and the planner's period.
const TICK: Duration = Duration::from_secs(2);

/// The sweeper's.
const SWEEP: Duration = Duration::from_secs(1);

impl Rig<'_> {
    /// Lets time pass: connections end at the sweeper's pace, rates are estimated at theirs.
    pub fn wait(&mut self, time: Duration) {
        let until = self.elapsed + time;
        while self.elapsed < until {
            let to = |period: Duration| {
                let periods = self.elapsed.as_nanos() / period.as_nanos() + 1;
                Duration::from_nanos_u128(periods * period.as_nanos())
            };
            let next = until.min(to(SWEEP)).min(to(TICK));
            self.time.advance(next.saturating_sub(self.elapsed));
            self.elapsed = next;
            self.sweep();
            if next.as_nanos() % TICK.as_nanos() == 0 {
                self.director.tick();
            }
        }
    }

    /// Lets time pass at once: what ends meanwhile ends at its end.
    pub fn pass(&mut self, time: Duration) {
        self.time.advance(time);
        self.sweep();
        self.director.tick();
    }

    /// Until the estimators look the next time.
    #[must_use]
    pub fn until_tick(&self) -> Duration {
        let periods = self.elapsed.as_nanos() / TICK.as_nanos() + 1;
        Duration::from_nanos_u128(periods * TICK.as_nanos()).saturating_sub(self.elapsed)
    }

    /// Ends the connections whose time is over.
    pub fn sweep(&self) {
        let _swept = self.sweeper.sweep();
    }

    /// The sweeper, for another thread.
    #[must_use]
    pub fn sweeper(&self) -> Arc<Sweeper> {
        Arc::clone(&self.sweeper)
    }

    /// The connection clock, for another thread.
    #[must_use]
    pub fn time(&self) -> Time {
        self.time.clone()
    }
}
