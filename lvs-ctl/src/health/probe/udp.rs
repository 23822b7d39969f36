//! A datagram is answered, or at least not refused (keepalived's `UDP_CHECK`).

use futures_util::future::BoxFuture;
use regex::bytes::Regex;
use socket2::{Protocol, Type};

use super::{Probe, Trip, Trouble, socket};
use crate::model::health::{self, Exchange, Failure, Good, Silence, Stage};

/// What is sent if nothing is said.
const PAYLOAD: &[u8] = b"health check of a real server\n";

/// Sends one datagram, and waits.
#[derive(Debug)]
pub(super) struct Udp {
    send: Vec<u8>,
    expect: Option<Regex>,
    silence: Silence,
}

impl Udp {
    pub(super) fn new(exchange: &Exchange, silence: Silence) -> Result<Self, regex::Error> {
        let expect = exchange.expect.as_deref().map(health::pattern).transpose()?;
        let send = if exchange.send.is_empty() { PAYLOAD } else { &exchange.send };
        Ok(Self { send: send.to_vec(), expect, silence })
    }

    async fn talk(&self, trip: &Trip) -> Result<Good, Trouble> {
        let socket = socket::datagrams(&trip.target, Type::DGRAM, Protocol::UDP)?;
        trip.progress.at(Stage::Answer);
        let trouble = |error: std::io::Error| Trouble::of(&error, Stage::Answer);
        socket.send(&self.send).await.map_err(trouble)?;
        let mut answer = vec![0; 65536];
        let length = socket.recv(&mut answer).await.map_err(trouble)?;
        match &self.expect {
            Some(expect) if !expect.is_match(&answer[..length]) => Err(Failure::Answer.into()),
            _ => Ok(Good::default()),
        }
    }
}

impl Probe for Udp {
    fn probe<'a>(&'a self, trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>> {
        Box::pin(self.talk(trip))
    }

    fn silence(&self) -> Option<Good> {
        (self.silence == Silence::Success).then(Good::default)
    }
}
