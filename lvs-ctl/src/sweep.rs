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
/// At most.
const LONGEST: Duration = Duration::from_secs(4);
/// As many times as long as a sweep takes: what it takes of a processor.
const SHARE: u32 = 64;

/// The sweeping thread, which ends when this is dropped.
pub struct Sweeping {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeping {
    /// Calls `sweep` every second; less often if that takes long.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(mut sweep: impl FnMut() + Send + 'static) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("sweeper".into()).spawn(move || {
            let mut pause = PERIOD;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let begun = spent();
                sweep();
                pause = pause_after(spent().saturating_sub(begun));
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

/// How long to wait after a sweep that took so much of a processor's time.
fn pause_after(took: Duration) -> Duration {
    took.saturating_mul(SHARE).clamp(PERIOD, LONGEST)
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
        let after = |took| pause_after(Duration::from_millis(took)).as_millis();
        assert_eq!([0, 3, 20, 60, 300].map(after), [1000, 1000, 1280, 3840, 4000]);
    }
}
