//! A connection's words in the model's.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
};

use lvs_common::{
    conntable::word,
    net::{Be16, Be32},
};

use super::conntable::Standing;
use crate::model::{Connection, Peer, Protocol};

/// The connection, unless its time is over or its protocol is none that is listed.
pub(super) fn connection(
    standing: &Standing,
    now: u32,
    ticks_per_second: u32,
) -> Option<Connection> {
    let entry = &standing.entry;
    if entry.is_expired(now) {
        return None;
    }
    let protocol = match entry.protocol() {
        word::TCP => Protocol::Tcp,
        word::UDP => Protocol::Udp,
        _ => return None,
    };
    Some(Connection {
        protocol: Some(protocol),
        state: Cow::Borrowed(entry.state().name()),
        client: peer(entry.client()),
        vip: peer(entry.virtual_end()),
        dest: peer(word::split(standing.peer)),
        expires_s: entry.expires().wrapping_sub(now) / ticks_per_second.max(1),
        engine: None,
    })
}

fn peer((address, port): (Be32, Be16)) -> Peer {
    Peer { address: IpAddr::V4(Ipv4Addr::from(address.bytes())), port: port.get() }
}
