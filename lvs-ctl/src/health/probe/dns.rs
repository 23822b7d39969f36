//! A name server answers (keepalived's `DNS_CHECK`).

use std::{
    str::FromStr as _,
    sync::atomic::{AtomicU16, Ordering},
};

use futures_util::future::BoxFuture;
use hickory_proto::{
    op::{Message, MessageType, Query, ResponseCode},
    rr::{Name, RecordType},
};
use regex::bytes::Regex;
use socket2::{Protocol, Type};

use super::{Probe, Trip, Trouble, socket};
use crate::model::health::{self, Failure, Good, Stage};

/// Asks one question.
#[derive(Debug)]
pub(super) struct Dns {
    query: Query,
    expect: Option<Regex>,
    /// Of the next question. Sockets are connected, and nothing is believed but a success.
    next_id: AtomicU16,
}

impl Dns {
    pub(super) fn new(dns: &health::Dns) -> Result<Self, String> {
        let mut name = Name::from_ascii(&dns.name).map_err(|error| error.to_string())?;
        name.set_fqdn(true);
        let record = RecordType::from_str(&dns.record).map_err(|error| error.to_string())?;
        let expect = dns.expect.as_deref().map(health::pattern).transpose();
        let expect = expect.map_err(|error| error.to_string())?;
        let [low, high, ..] = super::super::scatter::seed().to_ne_bytes();
        let next_id = AtomicU16::new(u16::from_ne_bytes([low, high]));
        Ok(Self { query: Query::query(name, record), expect, next_id })
    }

    async fn ask(&self, trip: &Trip) -> Result<Good, Trouble> {
        let id = self.next_id.fetch_add(0x9e37, Ordering::Relaxed);
        let mut question = Message::new();
        question.set_id(id).set_recursion_desired(true).add_query(self.query.clone());
        let question = question.to_vec().map_err(|error| Trouble::Own(error.to_string()))?;
        let socket = socket::datagrams(&trip.target, Type::DGRAM, Protocol::UDP)?;
        trip.progress.at(Stage::Answer);
        let trouble = |error: std::io::Error| Trouble::of(&error, Stage::Answer);
        socket.send(&question).await.map_err(trouble)?;
        let mut bytes = vec![0; 4096];
        loop {
            let length = socket.recv(&mut bytes).await.map_err(trouble)?;
            let answer = Message::from_vec(&bytes[..length])
                .map_err(|error| Failure::Protocol(error.to_string()))?;
            // What is late, or another's, is not waited for any more.
            if answer.id() == id && answer.message_type() == MessageType::Response {
                return self.judge(&answer);
            }
        }
    }

    fn judge(&self, answer: &Message) -> Result<Good, Trouble> {
        let code = answer.response_code();
        if code != ResponseCode::NoError {
            let words = code.to_str();
            return Err(Failure::Rcode(words.to_owned()).into());
        }
        let Some(expect) = &self.expect else { return Ok(Good::default()) };
        let is_expected = |data: String| expect.is_match(data.trim_end_matches('.').as_bytes());
        let found = answer.answers().iter().any(|record| is_expected(record.data().to_string()));
        if found { Ok(Good::default()) } else { Err(Failure::Answer.into()) }
    }
}

impl Probe for Dns {
    fn probe<'a>(&'a self, trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>> {
        Box::pin(self.ask(trip))
    }
}
