//! The packet's way through the director.
//!
//! ```text
//!   frame ─▶ parse ─▶ is it ours? ─▶ connection? ──yes──────────────────▶ forward ─▶ out
//!              │          │              │ no                                ▲
//!              │          │              └▶ classify ─▶ schedule ─▶ open ────┘
//!              ▼          ▼                    │           │         │
//!            stack      stack                stack       drop      drop     each with a Reason
//! ```
//!
//! A stage is a file, in the order a packet meets them. The path is safe code, generic over the
//! packet's memory ([`Frame`]) and the maps ([`Tables`]): the program, the tests and the fuzzer run
//! the same lines.
#![cfg_attr(not(any(test, feature = "host")), no_std)]
#![forbid(unsafe_code)]

mod account;
mod classify;
mod connection;
mod forward;
#[cfg(any(test, feature = "host"))]
pub mod host;
pub mod packet;
mod parse;
pub mod schedule;
pub mod tables;

use lvs_common::{
    verdict::{Reason, Verdict},
    wire::Frame,
};

use crate::{
    connection::{Connection, Row},
    packet::Packet,
    tables::Tables,
};

/// Directs one frame.
#[inline(always)]
pub fn direct<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Verdict {
    let verdict = way(frame, tables).unwrap_or_else(|refused| refused);
    account::verdict(verdict, tables);
    verdict
}

#[inline(always)]
fn way<F: Frame, T: Tables>(frame: &mut F, tables: &mut T) -> Result<Verdict, Verdict> {
    let packet = parse::parse(frame)?;
    let refused = if tables.is_vip(packet.destination) {
        match request(frame, &packet, tables) {
            // Or a client whose address the filter takes for a VIP.
            Err(refused @ Verdict::Pass(Reason::NoService)) => refused,
            done => return done,
        }
    } else {
        Verdict::Pass(Reason::NotOurs)
    };
    if tables.is_masqueraded(packet.source) {
        return reply(frame, &packet, tables);
    }
    Err(refused)
}

/// From a client to a virtual service.
#[inline(always)]
fn request<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    let connection = match connection::find(packet, tables)? {
        Some(connection) => connection,
        None => open(packet, tables)?,
    };
    account::request(packet, &connection, tables);
    forward::request(frame, packet, &connection, tables)
}

/// The connection that a packet begins.
#[inline(always)]
fn open<T: Tables>(packet: &Packet, tables: &mut T) -> Result<Connection<Row<T>>, Verdict> {
    let service = classify::classify(packet, tables)?;
    let dest = schedule::schedule(packet, service, tables)?;
    connection::open(packet, dest, tables)
}

/// From a masqueraded real server to a client.
#[inline(always)]
fn reply<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    let connection = connection::find_reply(packet, tables)?;
    account::reply(packet, &connection, tables);
    forward::reply(frame, packet, &connection, tables)
}
