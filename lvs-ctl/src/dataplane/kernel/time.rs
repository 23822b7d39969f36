//! What time it is on the connection clock; and letting time pass on it.

#![forbid(unsafe_code)]

use std::{sync::Arc, time::Duration};

use lvs_common::map::Tunables;

use super::{clock::Clock, mapped::Mapped};

/// The connection clock, read where the program reads it: with the offset of the tunables.
#[derive(Clone, Debug)]
pub struct Time {
    clock: Clock,
    tunables: Arc<Mapped>,
}

impl Time {
    pub(super) fn new(clock: Clock, tunables: Arc<Mapped>) -> Self {
        Self { clock, tunables }
    }

    /// Lets the clock run ahead: for tests that do not wait timeouts out.
    ///
    /// Not while somebody else changes tunables.
    pub fn advance(&self, by: Duration) {
        let ticks = by.as_nanos() * u128::from(self.ticks_per_second()) / 1_000_000_000;
        #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
        let ticks = ticks as u32;
        self.tunables.edit(0, |it: &mut Tunables| {
            it.clock_offset = it.clock_offset.wrapping_add(ticks);
        });
    }

    /// The tick that it is.
    pub(super) fn now(&self) -> u32 {
        self.clock.with(&self.tunables.read(0)).ticks(monotonic())
    }

    /// Whether connections end with their real server: `expire_nodest_conn`.
    pub(super) fn ends_orphans(&self) -> bool {
        self.tunables.read::<Tunables>(0).expire_nodest_conn != 0
    }

    /// The time as the program notes it with what it remembers, nanoseconds.
    pub(super) fn now_ns(&self) -> u64 {
        let tunables: Tunables = self.tunables.read(0);
        tunables.nanoseconds(self.clock.with(&tunables).ticks_since_boot(monotonic()))
    }

    /// Ticks a second.
    pub(super) fn ticks_per_second(&self) -> u32 {
        self.clock.ticks_per_second()
    }
}

fn monotonic() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Into::into)
}
