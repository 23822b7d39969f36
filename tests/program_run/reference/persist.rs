//! Persistence: where a client went is remembered, and for how long.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Director;

/// A service, and what its netmask leaves of a client.
pub(super) type Client = (usize, Ipv4Addr);

/// Where a client goes.
#[derive(Clone, Debug)]
pub(super) struct Template {
    dest: usize,
    /// A connection came about, or an answer.
    is_assured: bool,
    /// What every new connection gives it, seconds.
    lifetime: u64,
    expires: u64,
}

impl Director {
    /// The real server of a new connection.
    pub(super) fn server_for(&mut self, service: usize, client: SocketAddr) -> Option<usize> {
        let remembered = self.client(service, client);
        if let Some(client) = remembered
            && let Some(template) = self.templates.get_mut(&client)
        {
            let dest = &self.dests[template.dest];
            let is_quiescent = self.tunables.expire_quiescent_template && dest.weight == 0;
            if dest.is_present && !is_quiescent {
                template.expires = self.now + template.lifetime;
                return Some(template.dest);
            }
            self.forget(client);
        }
        let Self { services, dests, .. } = self;
        let dest = services[service].choose(dests, client)? as usize;
        if let (Some(client), Some((lifetime, _))) = (remembered, services[service].persistence) {
            let expires = self.now + lifetime;
            self.templates.insert(client, Template { dest, is_assured: false, lifetime, expires });
            self.dests[dest].persistent += 1;
        }
        Some(dest)
    }

    /// A client's connection to a real server came about, or its datagram was answered.
    pub(super) fn assure(&mut self, dest: usize, client: SocketAddr) {
        let remembered = self.client(self.dests[dest].service, client);
        let template = remembered.and_then(|client| self.templates.get_mut(&client));
        if let Some(template) = template
            && template.dest == dest
        {
            template.is_assured = true;
        }
    }

    /// Ends templates whose time is over, unless a connection holds them: then they get a minute.
    pub(super) fn end_templates(&mut self) {
        let holders: Vec<_> = self
            .conns
            .iter()
            .filter_map(|(key, conn)| {
                let client = self.client(self.dests[conn.dest].service, key.1)?;
                Some((client, conn.dest))
            })
            .collect();
        let nodest = self.tunables.expire_nodest_conn;
        let over = self.templates.iter().filter(|(_, template)| {
            template.expires <= self.now || (nodest && !self.dests[template.dest].is_present)
        });
        let over: Vec<_> = over.map(|(client, template)| (*client, template.dest)).collect();
        for (client, dest) in over {
            if !holders.contains(&(client, dest)) {
                self.forget(client);
            } else if let Some(template) = self.templates.get_mut(&client) {
                (template.lifetime, template.expires) = (60, self.now + 60);
            }
        }
    }

    /// As connections are listed.
    pub(super) fn templates_listed(&self) -> impl Iterator<Item = (String, String, u64)> {
        self.templates.iter().map(|((service, client), template)| {
            let service = &self.services[*service];
            let protocol = if service.tcp { "TCP" } else { "UDP" };
            let at = self.dests[template.dest].at;
            let state = if template.is_assured { "ASSURED" } else { "NONE" };
            let who = format!("{protocol} {client}:0 {} {at}", service.vip);
            (who, state.to_owned(), template.expires - self.now)
        })
    }

    fn client(&self, service: usize, client: SocketAddr) -> Option<Client> {
        let (_, bits) = self.services[service].persistence?;
        let IpAddr::V4(address) = client.ip() else { unreachable!("clients have IPv4 addresses") };
        let rest = 32 - bits;
        Some((service, Ipv4Addr::from_bits(address.to_bits() >> rest << rest)))
    }

    fn forget(&mut self, client: Client) {
        let template = self.templates.remove(&client).expect("it is there");
        self.dests[template.dest].persistent -= 1;
    }
}
