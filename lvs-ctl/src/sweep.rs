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
/// At most: a template may come with a second to live, and the program goes by it for two seconds more.
const LONGEST: Duration = Duration::from_secs(3);
/// The same while there are templates, which a sweep is to prolong in these two seconds.
const LONGEST_OF_TEMPLATES: Duration = Duration::from_millis(1500);
/// A pause is so many times as long as the sweep before it took of a processor.
const TIMES: u32 = 64;

/// The sweeping thread, which ends when this is dropped.
pub struct Sweeping {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeping {
    /// Calls `sweep`, which tells whether there are templates, every second; less often if it takes long.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(mut sweep: impl FnMut() -> bool + Send + 'static) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("sweeper".into()).spawn(move || {
            let mut pause = PERIOD;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let begun = spent();
                let longest = if sweep() { LONGEST_OF_TEMPLATES } else { LONGEST };
                pause = pause_after(spent().saturating_sub(begun), longest);
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
fn pause_after(took: Duration, longest: Duration) -> Duration {
    took.saturating_mul(TIMES).clamp(PERIOD, longest)
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
        let after =
            |longest| move |took| pause_after(Duration::from_millis(took), longest).as_millis();
        assert_eq!([0, 3, 20, 40, 300].map(after(LONGEST)), [1000, 1000, 1280, 2560, 3000]);
        assert_eq!([3, 20, 40].map(after(LONGEST_OF_TEMPLATES)), [1000, 1280, 1500]);
    }
}
