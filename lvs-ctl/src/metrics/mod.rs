//! The director in numbers: what `/metrics` shows, read when it is asked for.
//!
//! | file | idea |
//! |---|---|
//! | `gather` | the numbers, in pieces, so that the director is never busy for long; and how many fit |
//! | `families` | their names, labels and meanings |
//! | `format` | the two texts that Prometheus reads |

#![forbid(unsafe_code)]

mod families;
mod format;
mod gather;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::{Method, StatusCode};
use prometheus_client::registry::Registry;

pub use self::format::Format;
use crate::{
    director::{DirectorError, Handle},
    health::Board,
};

/// How metrics are shown.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Services and real servers have at most this many series; those that do not fit are shown in
    /// totals only.
    pub max_series: usize,
}

/// Metrics, with what is counted here and not by the director.
pub struct Metrics {
    options: Options,
    health: Board,
    requests: Mutex<Requests>,
}

/// How many requests of a method, a route and a status there were.
type Requests = BTreeMap<(&'static str, String, u16), u64>;

impl Default for Options {
    /// Room for a thousand services with ten real servers each, and some more.
    fn default() -> Self {
        Self { max_series: 200_000 }
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(options: Options, health: Board) -> Self {
        Self { options, health, requests: Mutex::default() }
    }

    /// Counts an answered request; `route` is one of the router's own, never what a client made up.
    pub fn count(&self, method: &Method, route: &str, status: StatusCode) {
        let method = known(method);
        *self.requests().entry((method, route.to_owned(), status.as_u16())).or_default() += 1;
    }

    /// The text that shows all.
    ///
    /// # Errors
    /// The director has stopped.
    pub async fn render(&self, handle: &Handle, format: Format) -> Result<String, DirectorError> {
        let mut gathered = gather::gather(handle, &self.health, self.options.max_series).await?;
        gathered.requests = self.requests().clone();
        let text = tokio::task::spawn_blocking(move || {
            let mut registry = Registry::default();
            registry.register_collector(Box::new(gathered));
            format.text(&registry)
        });
        text.await.map_err(|_stopped| DirectorError::Stopped)
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A method's name; clients may make up any.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    }
}
