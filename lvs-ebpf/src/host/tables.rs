//! The maps as the path asks for them.

use std::marker::PhantomData;

use bytemuck::Zeroable as _;

use lvs_common::{
    conntable::{
        Done, Hit, Insert, Key, New,
        ends::Ends,
        shared::{Row, View},
    },
    map::{
        Addresses, Counters, DATAGRAM_S, Datagram, DatagramKey, Dest, Load, NextHop, PATH_S,
        PathMtu, Service, ServiceKey, Tunables,
    },
    net::{Addr, Be32, Mac},
    pieces::{Piece, Pieces},
    sched::Transparent,
    verdict::Reason,
};

use super::{Maps, family::Kept, pool::MemPool};
use crate::{
    account,
    fragment::{Trace, trace},
    icmp::limit::Limit,
    packet::Packet,
    schedule,
    tables::{Route, Tables},
};

/// The maps, for one packet.
pub(super) struct ForPacket<'a, A> {
    conns: View<'a>,
    pub(super) maps: &'a mut Maps,
    family: PhantomData<A>,
}

impl<'a, A> ForPacket<'a, A> {
    pub(super) fn new(conns: View<'a>, maps: &'a mut Maps) -> Self {
        Self { conns, maps, family: PhantomData }
    }
}

impl<'a, A: Kept> Tables for ForPacket<'a, A> {
    type Address = A;
    type Conns = View<'a>;

    fn tunables(&self) -> &Tunables {
        &self.maps.tunables
    }

    fn now(&self) -> u32 {
        self.maps.now
    }

    fn is_generic(&self) -> bool {
        self.maps.is_generic
    }

    fn is_vip(&self, address: A) -> bool {
        has(&self.maps.addresses.vips, address.fold())
    }

    fn is_masqueraded(&self, address: A) -> bool {
        has(&self.maps.addresses.rips, address.fold())
    }

    fn is_host(&self, mac: Mac) -> bool {
        self.maps.macs.is_empty() || self.maps.macs.contains(&mac)
    }

    fn conns(&self) -> View<'a> {
        self.conns
    }

    fn hashes(&self, client: u64) -> (u32, u32) {
        self.maps.hashes(client)
    }

    fn short(&self, address: A) -> Be32 {
        address.short(self.maps)
    }

    fn find(&self, key: Key, ends: &Ends) -> Option<Hit<Row<'a>>> {
        A::find(&self.conns, self.hashes(key.client), key, ends)
    }

    fn virtual_address(&self, hit: &Hit<Row<'a>>, reply: &Packet<A>) -> Option<A> {
        A::virtual_address(hit, reply, self.maps)
    }

    fn insert(&mut self, new: New, ends: &Ends) -> Done<Row<'a>> {
        if let Some(rival) = self.maps.rival.take() {
            let done = A::insert(&self.conns, self.hashes(rival.key.client), rival, ends);
            if matches!(done.what, Insert::New(_)) {
                account::opened(rival.dest, rival.state, self);
            }
        }
        if self.maps.is_full {
            return Done { what: Insert::Full, evicted: None };
        }
        A::insert(&self.conns, self.hashes(new.key.client), new, ends)
    }

    fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.maps.services.get(key)
    }

    fn mark(&self, key: &ServiceKey) -> u32 {
        self.maps.marks.get(key).copied().unwrap_or_default()
    }

    fn choose(&self, service: &Service, packet: &Packet<A>) -> Option<u32> {
        let called = packet.destination.wide();
        schedule::choose(service, packet.hint(), &MemPool::new(self.maps, service, called))
    }

    fn dest_at(&self, service: &Service, position: u32) -> Option<u32> {
        let index = service.pool.checked_add(position)? as usize;
        self.maps.pools.get(index).map(|entry| entry.dest)
    }

    fn dest(&self, slot: u32) -> Option<&Dest> {
        self.maps.dests.get(slot as usize)
    }

    fn next_hop(&self, slot: u32) -> Option<&NextHop> {
        self.maps.next_hops.get(slot as usize)
    }

    fn path(&self, server: Addr) -> Option<&PathMtu> {
        self.maps.paths.get(PathMtu::place(server) as usize)
    }

    fn learn_path(&mut self, dest: u32, mtu: u32) {
        let ticks = PATH_S * self.maps.tunables.ticks_per_second;
        let Some(server) = self.maps.dests.get(dest as usize).map(|dest| dest.address) else {
            return;
        };
        if let Some(path) = self.maps.paths.get_mut(PathMtu::place(server) as usize) {
            path.learn(server, mtu, self.maps.now, ticks);
        }
    }

    fn route(&mut self, _: A, client: A) -> Route {
        self.maps.routes.get(&client.wide()).copied().unwrap_or(self.maps.default_route)
    }

    fn add_load(&mut self, dest: u32, word: usize, amount: u64) -> u64 {
        let Some(load) = self.maps.loads.get_mut(dest as usize) else { return 0 };
        let words: &mut [u64; Load::WORDS] = bytemuck::cast_mut(load);
        let was = words[word];
        words[word] = was.wrapping_add(amount);
        was
    }

    fn weigh(&mut self, dest: u32, total: u64) {
        let Some(thresholds) = self.dest(dest).map(Dest::thresholds) else { return };
        let Some(load) = self.maps.loads.get_mut(dest as usize) else { return };
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        let before = u32::from(load.overloaded != 0);
        load.overloaded = u64::from(thresholds.overloaded(total, before));
    }

    fn counters(&mut self, dest: u32) -> Option<&mut Counters> {
        self.maps.counters.get_mut(dest as usize)
    }

    fn limit(&mut self) -> Option<&mut Limit> {
        Some(&mut self.maps.limit)
    }

    fn trace(&mut self, key: &DatagramKey, piece: Piece) -> Trace {
        let now = self.maps.now;
        if let Some(known) = self.maps.datagrams.get_mut(key) {
            let (traced, is_whole) = trace::<Transparent>(known, piece, now);
            if traced != Trace::Unknown {
                self.maps.traced = Some((*key, *known));
                if is_whole {
                    self.maps.datagrams.remove(key);
                }
                return traced;
            }
        }
        let expires = now.wrapping_add(DATAGRAM_S * self.maps.tunables.ticks_per_second);
        let fresh = Datagram { expires, pieces: Pieces::of(piece), ..Datagram::zeroed() };
        self.maps.traced = Some((*key, fresh));
        Trace::Unknown
    }

    fn datagram(&mut self) -> Option<&mut Datagram> {
        self.maps.traced.as_mut().map(|(_, datagram)| datagram)
    }

    fn remember(&mut self) {
        let Some((key, datagram)) = self.maps.traced else { return };
        let (known, now) = (self.maps.datagrams.get(&key), self.maps.now);
        if known.is_none_or(|it| it.is_expired(now)) {
            self.maps.datagrams.insert(key, datagram);
        }
    }

    fn count_reason(&mut self, reason: Reason) {
        self.maps.reasons[reason as usize] += 1;
    }
}

fn has(bits: &[u64], address: Be32) -> bool {
    let (word, bit) = Addresses::place(address);
    bits[word] & bit != 0
}
