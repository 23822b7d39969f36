//! A TCP connection is accepted (keepalived's `TCP_CHECK`).

use futures_util::future::BoxFuture;

use super::{Probe, Trip, Trouble, socket};
use crate::model::health::Good;

/// Connects, and closes.
#[derive(Debug)]
pub(super) struct Tcp;

impl Probe for Tcp {
    fn probe<'a>(&'a self, trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>> {
        Box::pin(async move {
            socket::connect(&trip.target).await?;
            Ok(Good::default())
        })
    }
}
