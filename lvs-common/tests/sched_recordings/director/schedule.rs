//! What a director does with a packet of no connection: service, template, real server, new
//! connection.

use std::net::{IpAddr, SocketAddr};

use super::{Conn, Director, Fate};
use crate::{
    service::{Dest, Key, Service, is_within},
    tcp::{Segment, State},
};

impl Director {
    /// A packet that no connection takes.
    pub(super) fn schedule(
        &mut self,
        protocol: &'static str,
        segment: Option<Segment>,
        client: SocketAddr,
        to: SocketAddr,
    ) -> Fate {
        if !matches!(segment, None | Some(Segment::Syn)) {
            return Fate::NotOurs;
        }
        let Some(index) = self.classify(protocol, to) else { return Fate::NotOurs };
        let service = &self.services[index];
        let one_packet = service.ops && protocol == "UDP";
        let bound = match service.persist {
            Some(timeout) => self.by_template(index, timeout, protocol, client, to),
            None => self.pick(index, client, to).map(|dest| {
                let port = self.dests[dest].at.port();
                (dest, if port == 0 { to.port() } else { port }, None)
            }),
        };
        let Some((dest, dest_port, template)) = bound else { return Fate::Refused };
        let state = if protocol == "TCP" { State::None } else { State::Udp };
        let id = self.bind(Conn {
            protocol,
            client,
            to,
            dest,
            dest_port,
            state,
            timeout: 3,
            expires: 0,
            is_template: false,
            template,
        });
        self.advance(id, false, segment);
        let fate = self.forwarded(id);
        if one_packet {
            self.unbind(id);
        }
        fate
    }

    /// The real server that the client's template holds it at, made where there is none that can be
    /// used: it, the port there, and the template.
    fn by_template(
        &mut self,
        index: usize,
        timeout: u64,
        protocol: &'static str,
        client: SocketAddr,
        to: SocketAddr,
    ) -> Option<(usize, u16, Option<u64>)> {
        let service = &self.services[index];
        let from = SocketAddr::new(masked(client.ip(), service.prefix), 0);
        let (protocol, key, service_port) = match service.key {
            Key::Mark { mark, .. } => {
                ("IP", SocketAddr::new(IpAddr::from(mark.to_be_bytes()), 0), None)
            }
            Key::Address { at, .. } if at.port() == 0 => {
                (protocol, SocketAddr::new(to.ip(), 0), None)
            }
            Key::Address { at, .. } => (protocol, to, Some(at.port())),
        };
        let port_at = |dest: &Dest| match dest.at.port() {
            port if port != 0 && service_port == Some(to.port()) => port,
            _ => to.port(),
        };
        if let Some(id) = self.find(protocol, from, key) {
            let dest = &self.dests[self.conns[&id].dest];
            let is_quiesced = self.is_on("expire_quiescent_template") && dest.weight == 0;
            if dest.is_present && !is_quiesced {
                let bound = (self.conns[&id].dest, port_at(dest), Some(id));
                self.rearm(id);
                return Some(bound);
            }
            let conn = self.conns.get_mut(&id).unwrap();
            conn.to.set_port(65535);
            conn.dest_port = 65535;
        }
        let dest = self.pick(index, client, to)?;
        let dest_port = port_at(&self.dests[dest]);
        let id = self.bind(Conn {
            protocol,
            client: from,
            to: key,
            dest,
            dest_port: if service_port.is_some() { dest_port } else { 0 },
            state: State::None,
            timeout,
            expires: 0,
            is_template: true,
            template: None,
        });
        Some((dest, dest_port, Some(id)))
    }

    fn pick(&mut self, service: usize, client: SocketAddr, to: SocketAddr) -> Option<usize> {
        const NS: u64 = 1_000_000_000;
        let expiration = self.sysctl.get("lblcr_expiration").copied().unwrap_or(86_400);
        let service = &mut self.services[service];
        service.choose(self.choose, &self.dests, client, to.ip(), self.now * NS, expiration * NS)
    }

    /// The service that a client calling `to` reaches.
    fn classify(&self, protocol: &str, to: SocketAddr) -> Option<usize> {
        let is_marked = |service: &Service| match &service.key {
            Key::Mark { matches, .. } => matches.iter().any(|&prefix| is_within(to.ip(), prefix)),
            Key::Address { .. } => false,
        };
        let has = |port: u16| {
            move |service: &Service| match &service.key {
                Key::Address { protocol: of, at } => {
                    *of == protocol && *at == SocketAddr::new(to.ip(), port)
                }
                Key::Mark { .. } => false,
            }
        };
        let mut services = self.services.iter();
        services
            .position(is_marked)
            .or_else(|| self.services.iter().position(has(to.port())))
            .or_else(|| self.services.iter().position(has(0)))
    }
}

fn masked(address: IpAddr, mask: IpAddr) -> IpAddr {
    match (address, mask) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => (address & mask).into(),
        (IpAddr::V6(address), IpAddr::V6(mask)) => (address & mask).into(),
        _ => address,
    }
}
