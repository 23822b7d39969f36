//! Words to the service manager (`sd_notify(3)`); to nobody where there is none.

#![forbid(unsafe_code)]

use std::{env, process, time::Duration};

use sd_notify::NotifyState;
use tokio::{task::JoinHandle, time::MissedTickBehavior};

use crate::director::Handle;

/// Rules are being read anew, until this is dropped.
#[must_use]
pub struct Reloading(());

/// The controller answers.
pub fn ready() {
    say(&[NotifyState::Ready]);
}

/// The controller will not answer any more.
pub fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// Rules are about to be read anew.
pub fn reloading() -> Reloading {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => say(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the service manager cannot be told of a reload"),
    }
    Reloading(())
}

/// Tells the service manager again and again that the director is alive, if it wants to know. A
/// director that does not answer is not alive.
#[must_use]
pub fn watchdog(handle: Handle) -> Option<JoinHandle<()>> {
    let timeout = timeout(|name| env::var(name).ok())?;
    tracing::debug!(?timeout, "the service manager watches");
    let alive = || say(&[NotifyState::Watchdog]);
    // Three times as often as it must be.
    Some(tokio::spawn(while_it_answers(handle, timeout / 3, alive)))
}

async fn while_it_answers(handle: Handle, period: Duration, alive: impl Fn()) {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if handle.ping().await.is_err() {
            return;
        }
        alive();
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        ready();
    }
}

fn say(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager does not listen");
    }
}

/// How long the service manager waits for a sign of life, if it waits for this process'.
fn timeout(variable: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let own = variable("WATCHDOG_PID").is_none_or(|id| id.parse() == Ok(process::id()));
    let microseconds = variable("WATCHDOG_USEC")?.parse().ok().filter(|it| *it > 0)?;
    own.then(|| Duration::from_micros(microseconds))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{
        dataplane::memory::Memory,
        director::{self, Director, Options},
        model::LoopbackOnly,
    };

    #[test]
    fn a_director_that_does_not_answer_gives_no_sign_of_life() {
        const PERIOD: Duration = Duration::from_millis(1);
        const LONG: Duration = Duration::from_secs(30);
        let plane = Memory::default();
        let director = Director::new(plane.clone(), Box::new(LoopbackOnly), Options::default());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (sender, signs) = mpsc::channel();
        let alive = move || {
            sender.send(()).ok();
        };
        let handle = runtime.block_on(async { director::spawn(director).0 });
        runtime.spawn(while_it_answers(handle.clone(), PERIOD, alive));
        signs.recv_timeout(LONG).unwrap();
        let held = plane.state();
        let asking = runtime.spawn(async move { handle.status().await });
        // The last that it gave before it came to the question.
        while signs.recv_timeout(PERIOD * 100).is_ok() {}
        assert!(!asking.is_finished());
        drop(held);
        signs.recv_timeout(LONG).unwrap();
        runtime.block_on(asking).unwrap().unwrap();
    }

    #[test]
    fn only_the_process_that_is_watched_gives_signs_of_life() {
        let with = |pid: Option<String>, usec: Option<&str>| {
            timeout(|name| match name {
                "WATCHDOG_PID" => pid.clone(),
                _ => usec.map(str::to_owned),
            })
        };
        let own = process::id();
        assert_eq!(with(None, Some("3000000")), Some(Duration::from_secs(3)));
        assert_eq!(with(Some(own.to_string()), Some("1")), Some(Duration::from_micros(1)));
        assert_eq!(with(Some((own + 1).to_string()), Some("3000000")), None);
        assert_eq!(with(None, Some("0")), None);
        assert_eq!(with(None, None), None);
    }
}
