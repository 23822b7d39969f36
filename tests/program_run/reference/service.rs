//! A virtual service and what its scheduler keeps.

use std::net::{IpAddr, SocketAddr};

use super::Dest;
use crate::schedulers::{self as plain, Rr, Server, Wrr};

/// The schedulers that the reference knows.
pub(crate) const SCHEDULERS: [&str; 11] =
    ["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "sh", "lblc", "lblcr"];

pub(crate) struct Service {
    pub(crate) tcp: bool,
    pub(crate) vip: SocketAddr,
    pub(crate) masq: bool,
    /// Seconds that a template lasts, and the leading bits of clients that it tells apart.
    pub(crate) persistence: Option<(u64, u32)>,
    /// Datagrams have no connections.
    pub(crate) one_packet: bool,
    /// Real servers, newest first.
    pub(crate) list: Vec<u32>,
    scheduler: &'static str,
    rr: Rr,
    wrr: Wrr,
    /// Where connections to the VIP went, newest first (lblc, lblcr).
    remembered: Vec<u32>,
}

impl Service {
    pub(crate) fn new(tcp: bool, vip: SocketAddr, masq: bool, scheduler: &'static str) -> Self {
        let (rr, wrr) = (Rr::default(), Wrr::new(&[]));
        Self {
            tcp,
            vip,
            masq,
            persistence: None,
            one_packet: false,
            list: Vec::new(),
            scheduler,
            rr,
            wrr,
            remembered: Vec::new(),
        }
    }

    /// Chooses a real server for a client.
    pub(crate) fn choose(&mut self, dests: &[Dest], client: SocketAddr) -> Option<u32> {
        let list = self.servers(dests);
        match self.scheduler {
            "rr" => self.rr.choose(&list),
            "wrr" => self.wrr.choose(&list),
            "lc" => plain::lc(&list),
            "wlc" => plain::wlc(&list),
            "sed" => plain::sed(&list),
            "nq" => plain::nq(&list),
            "fo" => plain::fo(&list),
            "ovf" => plain::ovf(&list),
            "sh" => sh(&list, client),
            "lblc" => self.lblc(&list),
            "lblcr" => self.lblcr(&list),
            other => unreachable!("{other}"),
        }
    }

    /// Called after a real server was added or edited.
    pub(crate) fn changed(&mut self, dests: &[Dest]) {
        let list = self.servers(dests);
        self.wrr.changed(&list);
    }

    pub(crate) fn delete(&mut self, id: u32, dests: &[Dest]) {
        let list = self.servers(dests);
        self.rr.delete(&list, id);
        self.list.retain(|other| *other != id);
        self.changed(dests);
    }

    /// Another scheduler begins anew, the same one goes on.
    pub(crate) fn schedule_by(&mut self, scheduler: &'static str, dests: &[Dest]) {
        if scheduler != self.scheduler {
            self.scheduler = scheduler;
            self.rr = Rr::default();
            self.wrr = Wrr::new(&self.servers(dests));
            self.remembered.clear();
        }
    }

    fn lblc(&mut self, list: &[Server]) -> Option<u32> {
        let kept = list.iter().find(|server| self.remembered.first() == Some(&server.id));
        if let Some(kept) = kept.filter(|kept| kept.weight > 0 && !is_busy(kept, list)) {
            return Some(kept.id);
        }
        let id = plain::wlc(list)?;
        self.remembered = vec![id];
        Some(id)
    }

    /// For as long as no set is a day old.
    fn lblcr(&mut self, list: &[Server]) -> Option<u32> {
        let there = |id: &u32| list.iter().find(|server| server.id == *id).cloned();
        let members: Vec<Server> = self.remembered.iter().filter_map(there).collect();
        let least = plain::wlc(&members).and_then(|id| there(&id));
        if let Some(least) = least.filter(|least| !is_busy(least, list)) {
            return Some(least.id);
        }
        let id = plain::wlc(list)?;
        if !self.remembered.contains(&id) {
            self.remembered.insert(0, id);
        }
        Some(id)
    }

    fn servers(&self, dests: &[Dest]) -> Vec<Server> {
        let server = |id: &u32| {
            let dest = &dests[*id as usize];
            Server {
                id: *id,
                weight: dest.weight,
                active: dest.active,
                inactive: dest.total - dest.active,
                is_overloaded: dest.is_overloaded,
            }
        };
        self.list.iter().map(server).collect()
    }
}

/// More active connections than its weight, while another has fewer than half of its own.
fn is_busy(server: &Server, list: &[Server]) -> bool {
    let is_bored = |other: &Server| 2 * other.active < other.weight;
    server.active > server.weight && list.iter().any(is_bored)
}

/// Source hashing without flags: 256 places, each real server's weight in a row, one at least.
fn sh(list: &[Server], client: SocketAddr) -> Option<u32> {
    let IpAddr::V4(address) = client.ip() else { unreachable!("clients have IPv4 addresses") };
    let mut places = Vec::new();
    while places.len() < 256 && !list.is_empty() {
        for server in list {
            places.extend((0..server.weight.max(1)).map(|_| server));
        }
    }
    let place = (address.to_bits().wrapping_mul(0x61C8_8647) >> 24) as usize;
    let server = places.get(place)?;
    (server.weight > 0 && !server.is_overloaded).then_some(server.id)
}
