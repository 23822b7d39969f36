//! Ends connections when their time is over, on a thread beside the director.

#![forbid(unsafe_code)]

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

/// From one sweep to the next. The program itself never uses a connection whose time is over; what
/// waits for the sweep is the count of a real server's connections.
const PERIOD: Duration = Duration::from_secs(1);

/// The sweeping thread, which ends when this is dropped.
pub struct Sweeping {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeping {
    /// Calls `sweep` every second.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(mut sweep: impl FnMut() + Send + 'static) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("sweeper".into()).spawn(move || {
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                sweep();
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
