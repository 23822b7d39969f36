//! Something is sent over TCP, and the answer matches: Redis, `MySQL`, `PostgreSQL` and what else greets.

use futures_util::future::BoxFuture;
use regex::bytes::Regex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Probe, Trip, Trouble, socket};
use crate::model::health::{self, Failure, Good, Stage};

/// The longest answer that is looked at, bytes.
const LONGEST: usize = 64 * 1024;

/// Sends, and compares.
#[derive(Debug)]
pub(super) struct Exchange {
    send: Vec<u8>,
    expect: Option<Regex>,
}

impl Exchange {
    pub(super) fn new(exchange: &health::Exchange) -> Result<Self, regex::Error> {
        let expect = exchange.expect.as_deref().map(health::pattern).transpose()?;
        Ok(Self { send: exchange.send.clone(), expect })
    }

    async fn talk(&self, trip: &Trip) -> Result<Good, Trouble> {
        let mut stream = socket::connect(&trip.target).await?;
        trip.progress.at(Stage::Answer);
        let trouble = |error: std::io::Error| Trouble::of(&error, Stage::Answer);
        stream.write_all(&self.send).await.map_err(trouble)?;
        let Some(expect) = &self.expect else { return Ok(Good::default()) };
        let mut answer = Vec::new();
        while answer.len() < LONGEST {
            let read = (&mut stream).take(4096).read_buf(&mut answer).await.map_err(trouble)?;
            if expect.is_match(&answer) {
                return Ok(Good::default());
            }
            if read == 0 && answer.is_empty() {
                return Err(Failure::Closed(Stage::Answer).into());
            }
            if read == 0 {
                return Err(Failure::Answer.into());
            }
        }
        Err(Failure::TooLong.into())
    }
}

impl Probe for Exchange {
    fn probe<'a>(&'a self, trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>> {
        Box::pin(self.talk(trip))
    }
}
