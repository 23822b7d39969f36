//! The connection table in the model's words.

use std::{borrow::Cow, net::IpAddr, ops::ControlFlow};

use lvs_common::{conntable::word, net::Be16, tcp_state::State};

use super::{
    conntable::{ConnTable, Standing},
    time::Time,
};
use crate::{
    dataplane::{Connections, DataPlaneError},
    model::{Connection, Peer, Protocol, ServiceId},
    plan::compile,
};

/// Shows the table as it stands, from any thread.
pub(super) struct Lister {
    pub(super) conns: ConnTable,
    pub(super) time: Time,
}

impl Connections for Lister {
    fn visit(
        &self,
        service: Option<&ServiceId>,
        visit: &mut dyn FnMut(Connection) -> ControlFlow<()>,
    ) -> Result<(), DataPlaneError> {
        let wanted = service.map(compile::key);
        let (now, tick) = (self.time.now(), self.time.ticks_per_second());
        self.conns.visit(&mut |standing| {
            if wanted.is_some_and(|key| key != standing.service) {
                return ControlFlow::Continue(());
            }
            connection(&standing, now, tick).map_or(ControlFlow::Continue(()), &mut *visit)
        });
        Ok(())
    }
}

/// The connection or template, unless its time is over.
fn connection(standing: &Standing, now: u32, ticks_per_second: u32) -> Option<Connection> {
    let entry = &standing.entry;
    if entry.is_expired(now) {
        return None;
    }
    let (_, port) = entry.client();
    let is_template = entry.protocol() == word::TEMPLATE;
    let number =
        if is_template { port.get() } else { word::protocol_number(entry.protocol()).into() };
    let (_, dest_port) = word::split(standing.peer);
    let (_, virtual_port) = entry.virtual_end();
    Some(Connection {
        protocol: Protocol::ALL.into_iter().find(|known| u16::from(known.number()) == number),
        state: Cow::Borrowed(match entry.state() {
            state if !is_template => state.name(),
            State::ESTABLISHED => "ASSURED",
            _ => "NONE",
        }),
        client: peer(standing.client, if is_template { Be16::new(0) } else { port }),
        vip: peer(standing.virtual_address, virtual_port),
        dest: peer(standing.dest, dest_port),
        expires_s: entry.expires().wrapping_sub(now) / ticks_per_second.max(1),
        engine: None,
    })
}

fn peer(address: IpAddr, port: Be16) -> Peer {
    Peer { address, port: port.get() }
}
