//! Probes: each finds out one way whether a real server does its work.

mod body;
mod dns;
mod exchange;
mod exec;
mod expiry;
mod http;
mod icmp;
mod smtp;
mod socket;
mod tcp;
mod tls;
mod udp;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;

pub use self::tls::Authorities;
use crate::model::health::{Check, Errand, Failure, Good, Kind, Outcome, Stage, Target};

/// Finds out whether a real server does its work.
pub trait Probe: Send + Sync {
    /// Does so once. Whoever asks limits the time, and drops this when it is over.
    fn probe<'a>(&'a self, trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>>;

    /// What it means if the time is over.
    fn silence(&self) -> Option<Good> {
        None
    }
}

/// One way to one real server.
#[derive(Debug)]
pub struct Trip {
    /// What it is for.
    pub errand: Errand,
    /// Where it goes.
    pub target: Target,
    /// What the probe is doing.
    pub progress: Progress,
}

/// What a probe is doing, for whoever breaks it off.
#[derive(Debug, Default)]
pub struct Progress(AtomicU8);

/// There was no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The real server's.
    Failed(Failure),
    /// The director's own: this says nothing of the real server.
    Own(String),
}

/// Makes the probe that `check` asks for.
///
/// # Errors
/// The check was not judged before.
pub fn build(check: &Check, authorities: &Authorities) -> Result<Arc<dyn Probe>, String> {
    let wrong = |error: regex::Error| error.to_string();
    Ok(match &check.kind {
        Kind::Tcp => Arc::new(tcp::Tcp),
        Kind::Http(http) => Arc::new(http::Http::new(http, authorities.clone()).map_err(wrong)?),
        Kind::Udp(exchange, silence) => Arc::new(udp::Udp::new(exchange, *silence).map_err(wrong)?),
        Kind::Dns(dns) => Arc::new(dns::Dns::new(dns)?),
        Kind::Icmp => Arc::new(icmp::Icmp::default()),
        Kind::Smtp(helo) => Arc::new(smtp::Smtp::new(helo)),
        Kind::Exchange(exchange) => Arc::new(exchange::Exchange::new(exchange).map_err(wrong)?),
        Kind::Exec(command) => Arc::new(exec::Exec::new(command)),
    })
}

/// Runs `probe` once, for no longer than `timeout`.
pub async fn run(probe: &dyn Probe, trip: &Trip, timeout: Duration) -> Outcome {
    match tokio::time::timeout(timeout, probe.probe(trip)).await {
        Ok(Ok(good)) => Outcome::Good(good),
        Ok(Err(Trouble::Failed(failure))) => Outcome::Failed(failure),
        Ok(Err(Trouble::Own(words))) => Outcome::Unchecked(words),
        Err(_elapsed) => match probe.silence() {
            Some(good) => Outcome::Good(good),
            None => Outcome::Failed(Failure::Timeout(trip.progress.stage())),
        },
    }
}

impl Trip {
    /// To `target`, on `errand`.
    #[must_use]
    pub fn new(errand: Errand, target: Target) -> Self {
        Self { errand, target, progress: Progress::default() }
    }
}

impl Progress {
    /// The probe does this from now on.
    pub(super) fn at(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    fn stage(&self) -> Stage {
        let stages = [Stage::Connect, Stage::Tls, Stage::Answer, Stage::Body, Stage::Run];
        stages.get(usize::from(self.0.load(Ordering::Relaxed))).copied().unwrap_or_default()
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Trouble {
    /// What an error of a socket means at this stage.
    fn of(error: &io::Error, stage: Stage) -> Self {
        match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Failure::Refused.into(),
            Some(libc::ETIMEDOUT) => Failure::Timeout(stage).into(),
            Some(libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EHOSTDOWN | libc::ENETDOWN) => {
                Failure::Unreachable(words(error)).into()
            }
            Some(libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE) => {
                Failure::Closed(stage).into()
            }
            // No descriptors, no memory, no such address here, no permission.
            Some(_) => Self::Own(words(error)),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Failure::Closed(stage).into(),
            None => Failure::Protocol(error.to_string()).into(),
        }
    }
}

/// What the host says, without its number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
