//! A transfer in the background, watched while it goes on.
#![forbid(unsafe_code)]

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use crc32fast::Hasher;

use super::http;
use crate::content;

/// A transfer that has begun.
#[derive(Debug)]
pub struct Download {
    progress: Arc<Progress>,
    thread: thread::JoinHandle<Result<Downloaded>>,
}

/// A transfer that arrived whole, every byte compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// The real server it came from.
    pub server: String,
    /// Length of the content.
    pub bytes: u64,
    /// How long it took from the request on.
    pub took: Duration,
}

impl Download {
    pub(super) fn start(stream: TcpStream, bytes: u64, rate: Option<u64>) -> Self {
        let progress = Arc::new(Progress::default());
        let seen = Arc::clone(&progress);
        let thread = thread::spawn(move || {
            let result = transfer(stream, bytes, rate, &seen);
            seen.end();
            result
        });
        Self { progress, thread }
    }

    /// Bytes of content received so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.progress.lock().received
    }

    /// Waits until that many bytes have been received.
    ///
    /// # Errors
    ///
    /// When the deadline is over, or the transfer has ended with less.
    pub fn wait_until(&self, bytes: u64, deadline: Duration) -> Result<()> {
        let waiting = |state: &mut State| state.received < bytes && !state.ended;
        let guard = self.progress.lock();
        let (state, _) = self
            .progress
            .changed
            .wait_timeout_while(guard, deadline, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        if state.received < bytes {
            let end = if state.ended { "the end" } else { "the deadline" };
            bail!("{} of {bytes} bytes until {end}", state.received);
        }
        Ok(())
    }

    /// From now on as fast as it goes.
    pub fn hurry(&self) {
        self.progress.lock().hurried = true;
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// When the content is not whole or not right.
    pub fn finish(self) -> Result<Downloaded> {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

#[derive(Debug, Default)]
struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    received: u64,
    hurried: bool,
    ended: bool,
}

impl Progress {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how much has been received; true if there is no hurry.
    fn receive(&self, received: u64) -> bool {
        let mut state = self.lock();
        state.received = received;
        self.changed.notify_all();
        !state.hurried
    }

    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

fn transfer(
    mut stream: TcpStream,
    bytes: u64,
    rate: Option<u64>,
    progress: &Progress,
) -> Result<Downloaded> {
    let begun = Instant::now();
    http::ask(&mut stream, "GET", &format!("/bytes/{bytes}"), 0)?;
    let mut from = BufReader::with_capacity(64 * 1024, stream);
    let head = http::read_head(&mut from)?;
    ensure!(head.status == 200 && head.content_length()? == bytes, "unexpected answer: {head:?}");
    let mut hasher = Hasher::new();
    let mut received = 0;
    while received < bytes {
        let piece =
            from.fill_buf().with_context(|| format!("after {received} of {bytes} bytes"))?;
        ensure!(!piece.is_empty(), "closed after {received} of {bytes} bytes");
        let expected = content::at(received, piece.len() as u64);
        ensure!(
            piece == expected,
            "wrong content among the {} bytes from {received} on",
            piece.len()
        );
        hasher.update(piece);
        let length = piece.len();
        from.consume(length);
        received += length as u64;
        if progress.receive(received)
            && let Some(due) = rate.and_then(|rate| due(received, rate))
        {
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
    }
    ensure!(from.fill_buf()?.is_empty(), "more than {bytes} bytes");
    let checksum = content::shown(hasher);
    ensure!(checksum == head.header("x-checksum"), "the checksum is {checksum}: {head:?}");
    Ok(Downloaded { server: head.header("x-server").into(), bytes, took: begun.elapsed() })
}

/// When that many bytes may have been received at that rate, bytes a second.
fn due(received: u64, rate: u64) -> Option<Duration> {
    let micros = u128::from(received) * 1_000_000 / u128::from(rate.max(1));
    u64::try_from(micros).ok().map(Duration::from_micros)
}
