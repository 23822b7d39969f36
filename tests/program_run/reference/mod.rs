//! A director, slow and plain: what kernel IPVS does, said once more without the product's code.

mod persist;
pub(crate) mod service;
mod tcp;

use std::{collections::BTreeMap, net::SocketAddr};

use lvs_tests::rig::{
    packet::{Body, Packet, RST, SYN},
    way::Way,
};

use self::{
    persist::{Client, Template},
    service::Service,
    tcp::{Seen, after, is_active, timeout},
};

/// A real server, those included that are gone but have connections.
#[derive(Clone, Debug)]
pub(crate) struct Dest {
    pub(crate) service: usize,
    pub(crate) at: SocketAddr,
    pub(crate) weight: u32,
    pub(crate) upper: u32,
    pub(crate) lower: u32,
    pub(crate) is_overloaded: bool,
    pub(crate) active: u32,
    pub(crate) total: u32,
    /// Templates.
    pub(crate) persistent: u32,
    pub(crate) is_present: bool,
}

/// A real server: name, weight, active and inactive connections, templates.
pub(crate) type Row = (String, u32, u32, u32, u32);

/// Protocol (by whether it is TCP), client, called address.
type Key = (bool, SocketAddr, SocketAddr);

#[derive(Clone, Debug)]
struct Conn {
    dest: usize,
    state: &'static str,
    expires: u64,
}

/// The director.
#[derive(Default)]
pub(crate) struct Director {
    pub(crate) services: Vec<Service>,
    dests: Vec<Dest>,
    conns: BTreeMap<Key, Conn>,
    templates: BTreeMap<Client, Template>,
    now: u64,
    timeouts: [u64; 3],
    pub(crate) tunables: Tunables,
}

/// Those of IPVS's tunables that the reference heeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tunables {
    pub(crate) conn_reuse_mode: u32,
    pub(crate) expire_quiescent_template: bool,
    pub(crate) expire_nodest_conn: bool,
}

impl Default for Tunables {
    fn default() -> Self {
        Self { conn_reuse_mode: 1, expire_quiescent_template: false, expire_nodest_conn: false }
    }
}

impl Director {
    pub(crate) fn new(services: Vec<Service>) -> Self {
        Self { services, timeouts: [900, 120, 300], ..Self::default() }
    }

    /// Real servers, newest first, service by service.
    pub(crate) fn rows(&self) -> Vec<Vec<Row>> {
        let row = |id: &u32| {
            let dest = &self.dests[*id as usize];
            let inactive = dest.total - dest.active;
            (dest.at.to_string(), dest.weight, dest.active, inactive, dest.persistent)
        };
        self.services.iter().map(|service| service.list.iter().map(row).collect()).collect()
    }

    /// Connections and templates: protocol, client, called address, real server, state, seconds left.
    pub(crate) fn listed(&self) -> Vec<(String, String, u64)> {
        let line = |(key, conn): (&Key, &Conn)| {
            let protocol = if key.0 { "TCP" } else { "UDP" };
            let who = format!("{protocol} {} {} {}", key.1, key.2, self.dests[conn.dest].at);
            (who, conn.state.to_owned(), conn.expires - self.now)
        };
        self.conns.iter().map(line).chain(self.templates_listed()).collect()
    }

    /// A client's packet.
    pub(crate) fn request(&mut self, packet: &Packet) -> Way {
        let flags = flags(packet);
        let key = (flags.is_some(), packet.from, packet.to);
        if let Some(conn) = self.conns.get(&key)
            && flags.is_some_and(|flags| flags & SYN != 0)
            && self.is_over(conn)
        {
            self.end(key);
        }
        let Some(conn) = self.conns.get(&key) else { return self.begin(key, flags) };
        let dest = &self.dests[conn.dest];
        if !dest.is_present {
            if !self.tunables.expire_nodest_conn {
                return Way::Dropped;
            }
            self.end(key);
            return self.begin(key, flags);
        }
        let (at, masq) = (dest.at, self.services[dest.service].masq);
        self.advance(key, if masq { Seen::Input } else { Seen::InputOnly }, flags);
        Way::Forwarded(at)
    }

    /// A real server's packet, where both sides pass the director.
    pub(crate) fn reply(&mut self, packet: &Packet) -> Way {
        let flags = flags(packet);
        let of_it = |(key, conn): &(&Key, &Conn)| {
            let dest = &self.dests[conn.dest];
            let same = (key.0, key.1, dest.at) == (flags.is_some(), packet.to, packet.from);
            same && self.services[dest.service].masq
        };
        let Some((&key, _)) = self.conns.iter().find(of_it) else { return Way::Passed };
        self.advance(key, Seen::Output, flags);
        Way::Forwarded(packet.to)
    }

    /// The real server that a client's connection goes to, and the address that it called.
    pub(crate) fn server_of(&self, client: SocketAddr) -> Option<(SocketAddr, SocketAddr)> {
        let (key, conn) = self.conns.iter().find(|(key, _)| key.1 == client)?;
        Some((self.dests[conn.dest].at, key.2))
    }

    /// Lets seconds pass.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += seconds;
        let over = self.conns.iter().filter(|(_, conn)| {
            conn.expires <= self.now || (self.tunables.expire_nodest_conn && self.is_orphan(conn))
        });
        for key in over.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.end(key);
        }
        self.end_templates();
    }

    /// `--set`.
    pub(crate) fn set_timeouts(&mut self, timeouts: [u64; 3]) {
        self.timeouts = timeouts;
    }

    /// Whether a service has the real server.
    pub(crate) fn has(&self, service: usize, at: SocketAddr) -> bool {
        self.find(service, at).is_some_and(|id| self.dests[id].is_present)
    }

    /// `-a`. One that was deleted and has connections comes back with them.
    pub(crate) fn add(&mut self, service: usize, at: SocketAddr, weight: u32) {
        let id = self.find(service, at).unwrap_or_else(|| {
            self.dests.push(Dest {
                service,
                at,
                weight: 0,
                upper: 0,
                lower: 0,
                is_overloaded: false,
                active: 0,
                total: 0,
                persistent: 0,
                is_present: false,
            });
            self.dests.len() - 1
        });
        self.dests[id].is_present = true;
        self.set(id, weight, 0, 0);
        let new = u32::try_from(id).expect("few real servers");
        let Self { services, dests, .. } = self;
        services[service].list.insert(0, new);
        services[service].changed(dests);
    }

    /// `-e`.
    pub(crate) fn edit(&mut self, service: usize, at: SocketAddr, to: (u32, u32, u32)) {
        let id = self.find(service, at).expect("it is there");
        self.set(id, to.0, to.1, to.2);
        let Self { services, dests, .. } = self;
        services[service].changed(dests);
    }

    /// `-d`.
    pub(crate) fn delete(&mut self, service: usize, at: SocketAddr) {
        let id = self.find(service, at).expect("it is there");
        self.dests[id].is_present = false;
        let Self { services, dests, .. } = self;
        services[service].delete(u32::try_from(id).expect("few real servers"), dests);
    }

    /// `-E`.
    pub(crate) fn schedule_by(&mut self, service: usize, scheduler: &'static str) {
        let Self { services, dests, .. } = self;
        services[service].schedule_by(scheduler, dests);
    }

    fn find(&self, service: usize, at: SocketAddr) -> Option<usize> {
        self.dests.iter().position(|dest| (dest.service, dest.at) == (service, at))
    }

    fn set(&mut self, id: usize, weight: u32, upper: u32, lower: u32) {
        let dest = &mut self.dests[id];
        (dest.weight, dest.upper, dest.lower) = (weight, upper, lower);
        dest.weigh();
    }

    fn begin(&mut self, key: Key, flags: Option<u8>) -> Way {
        let called = |service: &Service| (service.tcp, service.vip) == (key.0, key.2);
        let Some(service) = self.services.iter().position(called) else { return Way::Passed };
        if flags.is_some_and(|flags| flags & RST != 0 || flags & SYN == 0) {
            return Way::Passed;
        }
        let Some(dest) = self.server_for(service, key.1) else { return Way::Refused };
        let (of_one_packet, masq) =
            (self.services[service].one_packet, self.services[service].masq);
        if of_one_packet && flags.is_none() {
            return Way::Forwarded(self.dests[dest].at);
        }
        let state = if flags.is_some() { "NONE" } else { "UDP" };
        self.conns.insert(key, Conn { dest, state, expires: 0 });
        self.dests[dest].total += 1;
        self.dests[dest].weigh();
        self.advance(key, if masq { Seen::Input } else { Seen::InputOnly }, flags);
        Way::Forwarded(self.dests[dest].at)
    }

    fn is_orphan(&self, conn: &Conn) -> bool {
        !self.dests[conn.dest].is_present
    }

    /// Whether a SYN begins the connection anew.
    fn is_over(&self, conn: &Conn) -> bool {
        let mode = self.tunables.conn_reuse_mode;
        let dest = &self.dests[conn.dest];
        if self.tunables.expire_nodest_conn && dest.weight == 0 {
            return true;
        }
        let is_masq = self.services[dest.service].masq;
        match conn.state {
            "TIME_WAIT" | "CLOSE" => mode != 0,
            "FIN_WAIT" => mode & 2 != 0 && !is_masq,
            _ => false,
        }
    }

    fn advance(&mut self, key: Key, seen: Seen, flags: Option<u8>) {
        let conn = self.conns.get_mut(&key).expect("it was found");
        let before = conn.state;
        if let Some(flags) = flags {
            conn.state = after(before, seen, flags);
        }
        conn.expires = self.now + timeout(conn.state, self.timeouts);
        let dest = &mut self.dests[conn.dest];
        dest.active -= u32::from(is_active(before));
        dest.active += u32::from(is_active(conn.state));
        let established = before != "ESTABLISHED" && conn.state == "ESTABLISHED";
        if established || (flags.is_none() && seen == Seen::Output) {
            let dest = conn.dest;
            self.assure(dest, key.1);
        }
    }

    fn end(&mut self, key: Key) {
        let conn = self.conns.remove(&key).expect("it was found");
        let dest = &mut self.dests[conn.dest];
        dest.active -= u32::from(is_active(conn.state));
        dest.total -= 1;
        dest.weigh();
    }
}

impl Dest {
    /// Over its upper threshold, until it falls below the lower one, or below three quarters.
    fn weigh(&mut self) {
        let clear = if self.lower > 0 { self.lower } else { self.upper - self.upper / 4 };
        if self.upper == 0 || self.total < clear {
            self.is_overloaded = false;
        } else if self.total >= self.upper {
            self.is_overloaded = true;
        }
    }
}

fn flags(packet: &Packet) -> Option<u8> {
    match packet.body {
        Body::Tcp(flags, _) => Some(flags),
        Body::Udp(_) => None,
    }
}
