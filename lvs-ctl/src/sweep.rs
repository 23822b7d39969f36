//! Ends connections when their time is over, on a thread beside the director.

#![forbid(unsafe_code)]

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

/// From one sweep to the next, at least. The program itself never uses a connection whose time is over;
/// what waits for the sweep is the count of a real server's connections.
const PERIOD: Duration = Duration::from_secs(1);
/// From a sweep that found connections to the next: at most, and as many times as long as it took.
const BUSY: (Duration, u32) = (Duration::from_secs(4), 64);
/// The same of a sweep that found none.
const IDLE: (Duration, u32) = (Duration::from_secs(16), 256);

/// The sweeping thread, which ends when this is dropped.
pub struct Sweeping {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeping {
    /// Calls `sweep`, which tells how many connections there are, every second; less often if that takes
    /// long.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(mut sweep: impl FnMut() -> u64 + Send + 'static) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("sweeper".into()).spawn(move || {
            let mut pause = PERIOD;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let begun = spent();
                let live = sweep();
                pause = pause_after(spent().saturating_sub(begun), live);
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sweeping {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by itself.
            thread.join().ok();
        }
    }
}

/// How long to wait after a sweep that took so much of a processor's time and left so many connections.
fn pause_after(took: Duration, live: u64) -> Duration {
    let (longest, times) = if live == 0 { IDLE } else { BUSY };
    took.saturating_mul(times).clamp(PERIOD, longest)
}

/// The processor's time that this thread has had.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_sweep_is_followed_by_a_longer_pause() {
        let after = |live| move |took| pause_after(Duration::from_millis(took), live).as_millis();
        assert_eq!([0, 3, 20, 60, 300].map(after(1)), [1000, 1000, 1280, 3840, 4000]);
        assert_eq!([0, 3, 20, 60, 300].map(after(0)), [1000, 1000, 5120, 15_360, 16_000]);
    }
}
