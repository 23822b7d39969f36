//! An echo is answered (keepalived's `PING_CHECK`).

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU16, Ordering},
};

use futures_util::future::BoxFuture;
use socket2::{Protocol, Type};

use super::{Probe, Trip, Trouble, socket};
use crate::{
    health::scatter,
    model::health::{Good, Stage},
};

/// What an echo carries beside its header.
const PAYLOAD: &[u8; 24] = b"health of a real server\n";

/// Sends one echo.
#[derive(Debug)]
pub(super) struct Icmp {
    /// Tells one's own echoes from others' where the kernel does not.
    id: u16,
    sequence: AtomicU16,
}

impl Default for Icmp {
    fn default() -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "any sixteen bits do")]
        Self { id: scatter::seed() as u16, sequence: AtomicU16::new(0) }
    }
}

impl Icmp {
    async fn ask(&self, trip: &Trip) -> Result<Good, Trouble> {
        let is_v4 = trip.target.endpoint.is_ipv4();
        let protocol = if is_v4 { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
        let mut target = trip.target.clone();
        target.endpoint.set_port(0);
        // Where groups may not ping, whoever may open raw sockets does.
        let (socket, is_raw) = match socket::datagrams(&target, Type::DGRAM, protocol) {
            Err(Trouble::Own(_)) => (socket::datagrams(&target, Type::RAW, protocol)?, true),
            socket => (socket?, false),
        };
        trip.progress.at(Stage::Answer);
        let trouble = |error: std::io::Error| Trouble::of(&error, Stage::Answer);
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let request = echo(target.endpoint.ip(), self.id, sequence);
        socket.send(&request).await.map_err(trouble)?;
        let mut bytes = [0; 1500];
        loop {
            let length = socket.recv(&mut bytes).await.map_err(trouble)?;
            let message =
                if is_raw && is_v4 { behind_ip(&bytes[..length]) } else { &bytes[..length] };
            let reply = if is_v4 { 0 } else { 129 };
            // A datagram socket gets its own echoes only, under an identifier that the kernel chose.
            let is_own = !is_raw || message.get(4..6) == Some(&self.id.to_be_bytes());
            let is_answer = message.first() == Some(&reply)
                && message.get(6..8) == Some(&sequence.to_be_bytes());
            if is_own && is_answer {
                return Ok(Good::default());
            }
        }
    }
}

impl Probe for Icmp {
    fn probe<'a>(&'a self, trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>> {
        Box::pin(self.ask(trip))
    }
}

/// An echo request (RFC 792, RFC 4443 §4.1). The kernel fills in the checksum of IPv6.
fn echo(to: IpAddr, id: u16, sequence: u16) -> Vec<u8> {
    let kind = if to.is_ipv4() { 8 } else { 128 };
    let mut message = vec![kind, 0, 0, 0];
    message.extend_from_slice(&id.to_be_bytes());
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(PAYLOAD);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// RFC 1071, over an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

fn behind_ip(packet: &[u8]) -> &[u8] {
    let header = packet.first().map_or(0, |byte| usize::from(byte & 15) * 4);
    packet.get(header..).unwrap_or_default()
}
