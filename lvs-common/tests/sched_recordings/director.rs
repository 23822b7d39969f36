//! A director, plainly written: connections, templates, counters and a clock, in vectors. The real
//! servers are chosen by the schedulers under test.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use lvs_common::sched::Thresholds;

use crate::{
    recording::{Case, Listed, Mode, Row, Server, Settings},
    service::{Choose, Dest, Edit, Key, Service},
    tcp::{Seen, Segment, State},
};

mod schedule;

/// A connection or, with `is_template`, what holds a client at its real server.
struct Conn {
    protocol: &'static str,
    client: SocketAddr,
    to: SocketAddr,
    dest: usize,
    dest_port: u16,
    state: State,
    timeout: u64,
    expires: u64,
    is_template: bool,
    template: Option<u64>,
}

/// What becomes of a packet from a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It reaches a real server, there on this port.
    Forwarded(SocketAddr),
    /// Port unreachable: no real server.
    Refused,
    /// Dropped without a word.
    Dropped,
    /// Not ours: the director's own stack answers with a reset.
    NotOurs,
}

pub(crate) struct Director {
    mode: Mode,
    services: Vec<Service>,
    dests: Vec<Dest>,
    conns: HashMap<u64, Conn>,
    next_conn: u64,
    now: u64,
    timeouts: [u64; 3],
    sysctl: HashMap<String, u64>,
    choose: Choose,
}

impl Director {
    pub(crate) fn new(case: &Case, choose: Choose) -> Self {
        let mut director = Self {
            mode: case.mode,
            services: case.services.iter().map(Service::new).collect(),
            dests: Vec::new(),
            conns: HashMap::new(),
            next_conn: 0,
            now: 0,
            timeouts: [900, 120, 300],
            sysctl: case.sysctl.clone(),
            choose,
        };
        for (timeout, set) in director.timeouts.iter_mut().zip(case.timeouts.unwrap_or_default()) {
            *timeout = if set == 0 { *timeout } else { set };
        }
        for Server { addr, port, weight, u, l, service } in &case.servers {
            let thresholds = Thresholds { upper: *u, lower: *l };
            director.add_server(*service, SocketAddr::new(*addr, *port), *weight, thresholds);
        }
        director
    }

    /// Every real server as `/proc/net/ip_vs` shows it, service by service.
    pub(crate) fn rows(&self) -> Vec<Vec<Row>> {
        let row = |&dest: &u32| {
            let dest = &self.dests[dest as usize];
            (dest.at.to_string(), dest.weight, dest.active, dest.total - dest.active)
        };
        self.services.iter().map(|service| service.list.iter().map(row).collect()).collect()
    }

    pub(crate) fn add_server(
        &mut self,
        service: usize,
        at: SocketAddr,
        weight: u32,
        thresholds: Thresholds,
    ) {
        let at = match (&self.services[service].key, self.mode) {
            (Key::Address { at: service, .. }, Mode::Route) => {
                SocketAddr::new(at.ip(), service.port())
            }
            _ => at,
        };
        // One that was deleted comes back with its connections.
        let known = self.dests.iter().position(|dest| dest.service == service && dest.at == at);
        let index = known.unwrap_or_else(|| {
            self.dests.push(Dest {
                service,
                at,
                weight: 0,
                last_weight: 0,
                thresholds,
                overloaded: 0,
                active: 0,
                total: 0,
                is_present: false,
            });
            self.dests.len() - 1
        });
        assert!(!self.dests[index].is_present, "{at} is there already");
        self.dests[index].is_present = true;
        self.set(index, weight, thresholds);
        let new = u32::try_from(index).unwrap();
        self.services[service].edit(Edit::Add, &self.dests, |list| list.insert(0, new));
    }

    pub(crate) fn edit_server(
        &mut self,
        at: SocketAddr,
        weight: Option<u32>,
        thresholds: Thresholds,
    ) {
        let index = self.find_server(at);
        self.set(index, weight.unwrap_or(self.dests[index].weight), thresholds);
        let service = self.dests[index].service;
        self.services[service].edit(Edit::Change, &self.dests, |_| {});
    }

    pub(crate) fn delete_server(&mut self, at: SocketAddr) {
        let index = self.find_server(at);
        self.dests[index].is_present = false;
        let service = self.dests[index].service;
        let is_other = |&dest: &u32| dest as usize != index;
        self.services[service].edit(Edit::Delete, &self.dests, |list| list.retain(is_other));
        if self.is_on("expire_nodest_conn") {
            let of_it = self.conns.iter().filter(|conn| conn.1.dest == index);
            let (templates, conns): (Vec<_>, Vec<_>) =
                of_it.map(|conn| *conn.0).partition(|id| self.conns[id].is_template);
            for id in conns {
                self.unbind(id);
            }
            for id in templates {
                if !self.controls_others(id) {
                    self.unbind(id);
                }
            }
        }
    }

    pub(crate) fn edit_service(&mut self, service: usize, settings: &Settings) {
        self.services[service].set(settings, &self.dests);
    }

    pub(crate) fn set_sysctl(&mut self, name: &str, value: u64) {
        self.sysctl.insert(name.to_owned(), value);
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: u64) {
        let until = self.now + seconds;
        while let Some((&id, conn)) = self
            .conns
            .iter()
            .filter(|conn| conn.1.expires <= until)
            .min_by_key(|conn| conn.1.expires)
        {
            self.now = conn.expires;
            if self.controls_others(id) {
                self.conns.get_mut(&id).unwrap().timeout = 60;
                self.rearm(id);
            } else {
                self.unbind(id);
            }
        }
        self.now = until;
    }

    /// A segment (TCP) or datagram from a client.
    pub(crate) fn request(
        &mut self,
        segment: Option<Segment>,
        client: SocketAddr,
        to: SocketAddr,
    ) -> Fate {
        let protocol = if segment.is_some() { "TCP" } else { "UDP" };
        let mut found = self.find(protocol, client, to);
        if let Some(id) = found
            && segment == Some(Segment::Syn)
            && self.is_reused(id)
        {
            self.unbind(id);
            found = None;
        }
        if let Some(id) = found
            && !self.dests[self.conns[&id].dest].is_present
        {
            if !self.is_on("expire_nodest_conn") {
                return Fate::Dropped;
            }
            self.unbind(id);
            found = None;
        }
        let Some(id) = found else { return self.schedule(protocol, segment, client, to) };
        self.advance(id, false, segment);
        self.forwarded(id)
    }

    /// A segment or datagram from the real server of a connection, which may go past the director.
    pub(crate) fn reply(&mut self, segment: Option<Segment>, client: SocketAddr, to: SocketAddr) {
        let protocol = if segment.is_some() { "TCP" } else { "UDP" };
        if self.mode == Mode::Masq
            && let Some(id) = self.find(protocol, client, to)
        {
            self.advance(id, true, segment);
        }
    }

    /// `/proc/net/ip_vs_conn`, sorted.
    pub(crate) fn listed(&self) -> Vec<Listed> {
        let text = |ip: IpAddr, port: u16| format!("{ip}:{port}");
        let line = |conn: &Conn| Listed {
            pro: conn.protocol.to_owned(),
            from: text(conn.client.ip(), conn.client.port()),
            to: text(conn.to.ip(), conn.to.port()),
            dest: text(self.dests[conn.dest].at.ip(), conn.dest_port),
            state: conn.state.name().to_owned(),
            expires: conn.expires - self.now,
        };
        let mut list: Vec<_> = self.conns.values().map(line).collect();
        list.sort();
        list
    }

    fn set(&mut self, dest: usize, weight: u32, thresholds: Thresholds) {
        let dest = &mut self.dests[dest];
        dest.set_weight(weight);
        dest.thresholds = thresholds;
        dest.check_threshold();
    }

    fn find_server(&self, at: SocketAddr) -> usize {
        let found = self.dests.iter().position(|dest| dest.at == at && dest.is_present);
        found.unwrap_or_else(|| panic!("no real server {at}"))
    }

    fn find(&self, protocol: &str, client: SocketAddr, to: SocketAddr) -> Option<u64> {
        let is_it =
            |conn: &Conn| conn.protocol == protocol && conn.client == client && conn.to == to;
        self.conns.iter().find(|conn| is_it(conn.1)).map(|conn| *conn.0)
    }

    fn forwarded(&self, id: u64) -> Fate {
        let conn = &self.conns[&id];
        Fate::Forwarded(SocketAddr::new(self.dests[conn.dest].at.ip(), conn.dest_port))
    }

    /// Whether a SYN on this connection begins a new one.
    fn is_reused(&self, id: u64) -> bool {
        let conn = &self.conns[&id];
        if self.is_on("expire_nodest_conn") && self.dests[conn.dest].weight == 0 {
            return true;
        }
        let mode = self.sysctl.get("conn_reuse_mode").copied().unwrap_or(1);
        let is_over = matches!(conn.state, State::TimeWait | State::Close)
            || mode & 2 != 0 && conn.state == State::FinWait && self.mode == Mode::Route;
        mode != 0 && conn.template.is_none() && is_over
    }

    fn bind(&mut self, conn: Conn) -> u64 {
        if !conn.is_template {
            self.dests[conn.dest].count(1, 0);
        }
        let id = self.next_conn;
        self.next_conn += 1;
        self.conns.insert(id, conn);
        self.rearm(id);
        id
    }

    fn unbind(&mut self, id: u64) {
        let conn = self.conns.remove(&id).unwrap();
        if !conn.is_template {
            self.dests[conn.dest].count(-1, -i32::from(conn.state.is_active()));
        }
    }

    fn rearm(&mut self, id: u64) {
        let conn = self.conns.get_mut(&id).unwrap();
        conn.expires = self.now + conn.timeout;
    }

    fn controls_others(&self, id: u64) -> bool {
        self.conns.values().any(|conn| conn.template == Some(id))
    }

    /// Moves a connection's state on, and its timer.
    fn advance(&mut self, id: u64, is_reply: bool, segment: Option<Segment>) {
        let seen = match (is_reply, self.mode) {
            (true, _) => Seen::Output,
            (false, Mode::Masq) => Seen::Input,
            (false, Mode::Route) => Seen::InputOnly,
        };
        let conn = self.conns.get_mut(&id).unwrap();
        let before = conn.state;
        if let Some(segment) = segment {
            conn.state = before.after(seen, segment);
        }
        conn.timeout = conn.state.timeout(self.timeouts);
        let active = i32::from(conn.state.is_active()) - i32::from(before.is_active());
        self.dests[conn.dest].count(0, active);
        let is_assured = conn.state == State::Established || segment.is_none() && is_reply;
        if let Some(template) = conn.template.filter(|_| is_assured) {
            self.conns.get_mut(&template).unwrap().state = State::Assured;
        }
        self.rearm(id);
    }

    fn is_on(&self, sysctl: &str) -> bool {
        self.sysctl.get(sysctl).is_some_and(|&value| value != 0)
    }
}
