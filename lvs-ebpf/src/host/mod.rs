//! The maps in host memory: for tests, for the fuzzer and to explain a packet.

mod family;
mod pool;
mod probes;
mod tables;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::atomic::AtomicU64,
};

use bytemuck::Zeroable as _;
use lvs_common::{
    ABI_VERSION,
    conntable::{
        New, ends, hashes,
        shared::{BUCKET, View},
    },
    map::{
        Addresses, Called, Counters, Datagram, DatagramKey, Dest, Family, Load, MAX_PATHS, Method,
        NextHop, PathMtu, PoolEntry, ProbeFlow, ProbeKey, Probed, ProbedEnd, Service, ServiceKey,
        Tunables, probe,
    },
    net::{Addr, Addr6, Be32, Mac},
    sched::{Kind, Remembered, wrr},
    tcp_state,
    verdict::{Reason, Verdict},
    wire::Frame,
};

use self::tables::ForPacket;
use crate::{icmp::limit::Limit, ip, tables::Route, vlan};

/// All maps of a director.
///
/// Slots are indices: those of `dests` are those of `loads` and `counters` too.
pub struct MemTables {
    conns: Vec<AtomicU64>,
    conns6: Vec<AtomicU64>,
    /// The other maps.
    pub maps: Maps,
}

/// The maps beside the connection table, and what else the path asks for.
pub struct Maps {
    /// The settings.
    pub tunables: Tunables,
    /// The clock, ticks.
    pub now: u32,
    /// Whether packets come by a generic hook.
    pub is_generic: bool,
    /// The host's link-layer addresses; none are known while it is empty.
    pub macs: BTreeSet<Mac>,
    /// The address filter; [`MemTables::add_service`] keeps it.
    pub addresses: Box<Addresses>,
    /// The services.
    pub services: BTreeMap<ServiceKey, Service>,
    /// Firewall marks by what packets call; [`Tunables::marks`] says whether there are any.
    pub marks: BTreeMap<ServiceKey, u32>,
    /// Their real servers, a range for each.
    pub pools: Vec<PoolEntry>,
    /// Real servers.
    pub dests: Vec<Dest>,
    /// Next hops; the first stands for none.
    pub next_hops: Vec<NextHop>,
    /// Connections of each real server.
    pub loads: Vec<Load>,
    /// Where the scheduler of each service goes on.
    pub cursors: Vec<Cell<u64>>,
    /// What lblc and lblcr remember.
    pub remembered: RefCell<BTreeMap<Called, Rc<Remembered>>>,
    /// Traffic of each real server.
    pub counters: Vec<Counters>,
    /// Frames not forwarded, by reason.
    pub reasons: [u64; Reason::CAPACITY],
    /// Flows of health checks.
    pub probes: BTreeMap<ProbeKey, ProbeFlow>,
    /// What became of them.
    pub probed: BTreeMap<ProbedEnd, Probed>,
    /// ICMP errors that may still be sent.
    pub limit: Limit,
    /// Datagrams that come in fragments,
    pub datagrams: BTreeMap<DatagramKey, Datagram>,
    /// and the one that was looked for last.
    pub traced: Option<(DatagramKey, Datagram)>,
    /// What routers said of the ways to tunnels' ends.
    pub paths: Vec<PathMtu>,
    /// Ways to clients.
    pub routes: BTreeMap<Addr, Route>,
    /// The way to all other clients.
    pub default_route: Route,
    /// Of the next insertions: each is refused for want of a place.
    pub is_full: bool,
    /// A connection that another CPU inserts just before the next insertion.
    pub rival: Option<New>,
}

impl MemTables {
    /// A director without a service, its connection tables of so many buckets of eight; a tick is a
    /// hundredth of a second.
    #[must_use]
    pub fn new(buckets: u32) -> Self {
        const TICKS_PER_SECOND: u32 = 100;
        let tunables = Tunables {
            abi_version: ABI_VERSION,
            ticks_per_second: TICKS_PER_SECOND,
            buckets,
            seed: [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210],
            timeouts: tcp_state::default_timeouts(TICKS_PER_SECOND),
            conn_reuse_mode: 1,
            stand_ins: probe::NETWORK_V4,
            stand_ins6: probe::NETWORK_V6,
            ..Tunables::zeroed()
        };
        Self {
            conns: zeros(buckets as usize * BUCKET),
            conns6: zeros(buckets as usize * ends::BUCKET),
            maps: Maps {
                tunables,
                now: 0,
                is_generic: false,
                macs: BTreeSet::new(),
                addresses: Box::new(Addresses::zeroed()),
                services: BTreeMap::new(),
                marks: BTreeMap::new(),
                pools: Vec::new(),
                dests: Vec::new(),
                next_hops: vec![NextHop::default()],
                loads: Vec::new(),
                cursors: Vec::new(),
                remembered: RefCell::new(BTreeMap::new()),
                counters: Vec::new(),
                reasons: [0; Reason::CAPACITY],
                probes: BTreeMap::new(),
                probed: BTreeMap::new(),
                limit: Limit::default(),
                datagrams: BTreeMap::new(),
                traced: None,
                paths: vec![PathMtu::default(); MAX_PATHS],
                routes: BTreeMap::new(),
                default_route: Route::None,
                is_full: false,
                rival: None,
            },
        }
    }

    /// Directs a frame.
    pub fn direct<F: Frame>(&mut self, frame: &mut F) -> Verdict {
        if let Err(Verdict::Pass(reason)) = vlan::strip(frame) {
            self.maps.reasons[reason as usize] += 1;
            return Verdict::Pass(reason);
        }
        let verdict = self.direct_bare(frame);
        if matches!(verdict, Verdict::Pass(_)) {
            vlan::restore(frame);
        }
        verdict
    }

    fn direct_bare<F: Frame>(&mut self, frame: &mut F) -> Verdict {
        let maps = &mut self.maps;
        if ip::is_of::<Addr6, F>(frame) {
            let conns = View::with_ends(&self.conns6);
            return crate::direct(frame, &mut ForPacket::<Addr6>::new(conns, maps));
        }
        crate::direct(frame, &mut ForPacket::<Be32>::new(View::new(&self.conns), maps))
    }

    /// Tells a frame's sender why it was dropped.
    pub fn tell<F: Frame>(&mut self, frame: &mut F, reason: Reason) -> Option<Verdict> {
        let maps = &mut self.maps;
        if ip::is_of::<Addr6, F>(frame) {
            let conns = View::with_ends(&self.conns6);
            return crate::tell(frame, reason, &mut ForPacket::<Addr6>::new(conns, maps));
        }
        let conns = View::new(&self.conns);
        crate::tell(frame, reason, &mut ForPacket::<Be32>::new(conns, maps))
    }

    /// Adds a service with its real servers, newest first, and their weights; the slot of the first,
    /// the others follow it.
    ///
    /// # Panics
    /// When there are more of anything than a map has places.
    pub fn add_service(&mut self, key: ServiceKey, kind: Kind, dests: &[(Dest, u32)]) -> u32 {
        let maps = &mut self.maps;
        let (first, pool) = (index(maps.dests.len()), index(maps.pools.len()));
        let params = wrr::params(dests.iter().map(|(_, weight)| *weight));
        let service = Service {
            slot: index(maps.cursors.len()),
            pool,
            len: index(dests.len()),
            scheduler: kind as u8,
            step: params.step,
            top: params.top,
            port: key.port,
            ..Service::default()
        };
        maps.services.insert(key, service);
        maps.cursors.push(Cell::new(if kind == Kind::Wrr { wrr::start(params) } else { 0 }));
        set(&mut maps.addresses.vips, key.family, key.address);
        for (slot, (dest, weight)) in (first..).zip(dests) {
            maps.pools.push(PoolEntry { dest: slot, weight: *weight });
            maps.dests.push(Dest { service: key, weight: *weight, ..*dest });
            maps.loads.push(Load::default());
            maps.counters.push(Counters::default());
            if dest.method == Method::MASQ {
                set(&mut maps.addresses.rips, key.family, dest.address);
            }
        }
        first
    }

    /// Adds a next hop; its slot.
    ///
    /// # Panics
    /// When there are more than the map has places.
    pub fn add_next_hop(&mut self, hop: NextHop) -> u32 {
        self.maps.next_hops.push(hop);
        index(self.maps.next_hops.len() - 1)
    }

    /// The connection table of IPv4.
    #[must_use]
    pub fn conns(&self) -> View<'_> {
        View::new(&self.conns)
    }

    /// The connection table of IPv6.
    #[must_use]
    pub fn conns6(&self) -> View<'_> {
        View::with_ends(&self.conns6)
    }

    /// How often frames ended for a reason.
    #[must_use]
    pub fn reason(&self, reason: Reason) -> u64 {
        self.maps.reasons[reason as usize]
    }
}

impl Maps {
    fn hashes(&self, client: u64) -> (u32, u32) {
        hashes(client, self.tunables.seed)
    }
}

fn zeros(words: usize) -> Vec<AtomicU64> {
    (0..words).map(|_| AtomicU64::new(0)).collect()
}

fn set(bits: &mut [u64], family: Family, address: Addr) {
    let (word, bit) = Addresses::place(family.fold(address));
    bits[word] |= bit;
}

fn index(number: usize) -> u32 {
    u32::try_from(number).expect("maps have fewer places")
}
