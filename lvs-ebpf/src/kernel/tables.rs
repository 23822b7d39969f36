//! The maps, as the path asks for them: the only map pointers.

use core::marker::PhantomData;

use aya_ebpf::programs::XdpContext;
use lvs_common::{
    conntable::{self, Done, Entry, Hit, Key, New, ends::Ends},
    map::{
        Addresses, Counters, Datagram, DatagramKey, Dest, HostMac, Load, MAX_DESTS, MAX_NEXT_HOPS,
        MAX_PATHS, MAX_POOL_ENTRIES, NextHop, PathMtu, Service, ServiceKey, Tunables,
    },
    net::{Addr, Be32, Mac},
    pieces::Piece,
    verdict::Reason,
};
use lvs_ebpf::{
    fragment::Trace,
    icmp::limit::Limit,
    packet::Packet,
    tables::{Route, Tables},
};

use super::{
    atomic, choose, clock,
    conns::Row,
    datagrams,
    family::Kept,
    function::{self, Scratch},
    maps::{
        ADDRESSES, COUNTERS, DESTS, GENERIC, HOST_MACS, LOADS, NEXT_HOPS, PATHS, POOLS, REASONS,
        SEED_A, SEED_B, SERVICES, TUNABLES,
    },
    marks, route,
};

/// The maps, for one packet.
pub struct KernelTables<'a, A> {
    /// None in functions of their own, which send nothing.
    context: Option<&'a XdpContext>,
    tunables: &'static Tunables,
    addresses: &'static Addresses,
    now: u32,
    /// This CPU's value, where it is known.
    scratch: Option<*mut Scratch<A>>,
    /// Templates are to last longer later on only: the stack is too small for it here.
    later: bool,
    /// One is.
    pub assures: bool,
    family: PhantomData<A>,
}

impl<'a, A> KernelTables<'a, A> {
    /// The maps, and the time that the packet came in.
    #[inline(always)]
    pub fn new(context: Option<&'a XdpContext>) -> Option<Self> {
        let tunables = TUNABLES.get(0)?;
        let addresses = ADDRESSES.get(0)?;
        let now = clock::ticks().wrapping_add(tunables.clock_offset);
        Some(Self {
            context,
            tunables,
            addresses,
            now,
            scratch: None,
            later: false,
            assures: false,
            family: PhantomData,
        })
    }

    /// The same, with this CPU's value for functions' arguments at hand.
    // verifier: looked up when arguments are about to be left there, they would all be on the stack
    #[inline(always)]
    pub fn leaving(self, scratch: *mut Scratch<A>) -> Self {
        Self { scratch: Some(scratch), ..self }
    }

    /// The same; who asks for a template to last looks at [`assures`](Self::assures), and calls
    /// [`Kept::call_assure`].
    #[inline(always)]
    pub fn assuring_later(self) -> Self {
        Self { later: true, ..self }
    }
}

impl<A: Kept> Tables for KernelTables<'_, A> {
    type Address = A;
    type Conns = A::Conns;

    #[inline(always)]
    fn tunables(&self) -> &Tunables {
        self.tunables
    }

    #[inline(always)]
    fn now(&self) -> u32 {
        self.now
    }

    #[inline(always)]
    fn is_generic(&self) -> bool {
        GENERIC.load() != 0
    }

    #[inline(always)]
    fn is_host(&self, mac: Mac) -> bool {
        // SAFETY: its value is not looked at.
        self.tunables.knows_macs == 0 || unsafe { HOST_MACS.get(&HostMac::new(mac)) }.is_some()
    }

    #[inline(always)]
    fn is_vip(&self, address: A) -> bool {
        let (word, bit) = Addresses::place(address.fold());
        self.addresses.vips.get(word).is_some_and(|bits| bits & bit != 0)
    }

    #[inline(always)]
    fn is_masqueraded(&self, address: A) -> bool {
        let (word, bit) = Addresses::place(address.fold());
        self.addresses.rips.get(word).is_some_and(|bits| bits & bit != 0)
    }

    #[inline(always)]
    fn conns(&self) -> A::Conns {
        A::CONNS
    }

    #[inline(always)]
    fn hashes(&self, client: u64) -> (u32, u32) {
        conntable::hashes(client, [SEED_A.load(), SEED_B.load()])
    }

    #[inline(always)]
    fn short(&self, address: A) -> Be32 {
        address.short()
    }

    #[inline(always)]
    fn find(&self, key: Key, ends: &Ends) -> Option<Hit<Row>> {
        A::find(self.hashes(key.client), key, ends)
    }

    #[inline(always)]
    fn template(&self, key: Key, ends: &Ends) -> Option<Hit<Row>> {
        A::template(self.hashes(key.client), key, ends)
    }

    #[inline(always)]
    fn virtual_address(&self, hit: &Hit<Row>, reply: &Packet<A>) -> Option<A> {
        A::virtual_address(hit, reply)
    }

    #[inline(always)]
    fn assure(&mut self, client: A, entry: &Entry) {
        function::leave(client, entry);
        if self.later {
            self.assures = true;
        } else {
            A::call_assure();
        }
    }

    #[inline(always)]
    fn insert(&mut self, new: New, ends: &Ends) -> Done<Row> {
        function::insert(self.scratch, self.hashes(new.key.client), new, ends)
    }

    #[inline(always)]
    fn service(&self, key: &ServiceKey) -> Option<&Service> {
        // SAFETY: elements are replaced, not changed, and one is not reused before this packet is done.
        unsafe { SERVICES.get(key) }
    }

    #[inline(always)]
    fn mark(&self, key: &ServiceKey) -> u32 {
        marks::mark(self.tunables.marks, key)
    }

    #[inline(always)]
    fn choose(&self, service: &Service, packet: &Packet<A>) -> Option<u32> {
        choose::choose(service, packet)
    }

    #[inline(always)]
    fn dest_at(&self, service: &Service, position: u32) -> Option<u32> {
        // verifier: an index below the number of entries
        let index = service.pool.wrapping_add(position) as usize & (MAX_POOL_ENTRIES - 1);
        POOLS.get(0)?.get(index).map(|entry| entry.dest)
    }

    #[inline(always)]
    fn dest(&self, slot: u32) -> Option<&Dest> {
        DESTS.get(0)?.get(dest_index(slot))
    }

    #[inline(always)]
    fn next_hop(&self, slot: u32) -> Option<&NextHop> {
        // verifier: an index below the number of hops
        NEXT_HOPS.get(0)?.get(slot as usize & (MAX_NEXT_HOPS - 1))
    }

    #[inline(always)]
    fn path(&self, server: Addr) -> Option<&PathMtu> {
        // verifier: an index below their number
        PATHS.get(0)?.get(PathMtu::place(server) as usize & (MAX_PATHS - 1))
    }

    #[inline(always)]
    fn path_mtu(&self, dest: u32) -> u32 {
        function::lvs_path_mtu(dest)
    }

    #[inline(always)]
    fn learn_path(&mut self, dest: u32, mtu: u32) {
        function::lvs_learn(dest, mtu);
    }

    #[inline(always)]
    fn route(&mut self, source: A, client: A) -> Route {
        // A second: as long as a change of routes or neighbours may go unnoticed.
        let Some(context) = self.context else { return Route::None };
        route::find(context, source, client, self.now, self.tunables.ticks_per_second)
    }

    #[inline(always)]
    fn trace(&mut self, key: &DatagramKey, piece: Piece) -> Trace {
        datagrams::trace(key, piece)
    }

    #[inline(always)]
    fn datagram(&mut self) -> Option<&mut Datagram> {
        datagrams::traced().map(|traced| &mut traced.datagram)
    }

    #[inline(always)]
    fn remember(&mut self) {
        datagrams::lvs_remember();
    }

    #[inline(always)]
    fn crc(&self, edit: u32, behind: u16) -> u32 {
        function::crc(edit, behind)
    }

    #[inline(always)]
    fn add_load(&mut self, dest: u32, word: usize, amount: u64) -> u64 {
        let Some(load) = load(dest) else { return 0 };
        // SAFETY: a word of a load, aligned as the map's value is.
        unsafe { atomic::fetch_add(load.wrapping_add(word), amount) }
    }

    #[inline(always)]
    fn weigh(&mut self, slot: u32, total: u64) {
        let Some(thresholds) = self.dest(slot).map(Dest::thresholds) else { return };
        if thresholds.upper == 0 {
            return;
        }
        let Some(load) = load(slot) else { return };
        let flag = load.wrapping_add(Load::OVERLOADED);
        // SAFETY: a word of a load; read and written whole.
        let before = unsafe { flag.read_volatile() };
        let after = u64::from(thresholds.overloaded(total as u32, before as u32));
        // SAFETY: as above.
        unsafe { flag.write_volatile(after) };
    }

    #[inline(always)]
    fn counters(&mut self, dest: u32) -> Option<&mut Counters> {
        let counters = COUNTERS.get_ptr_mut(dest & (MAX_DESTS as u32 - 1))?;
        // SAFETY: this CPU's own value; XDP programs of one CPU do not interrupt each other.
        Some(unsafe { &mut *counters })
    }

    #[inline(always)]
    fn limit(&mut self) -> Option<&mut Limit> {
        function::scratch::<A>().map(|scratch| &mut scratch.limit)
    }

    #[inline(always)]
    fn count_reason(&mut self, reason: Reason) {
        if let Some(count) = REASONS.get_ptr_mut(reason as u32) {
            // SAFETY: this CPU's own value.
            unsafe { *count += 1 };
        }
    }
}

/// The first word of a real server's load.
#[inline(always)]
fn load(dest: u32) -> Option<*mut u64> {
    let loads = LOADS.get_ptr_mut(0)?.cast::<Load>();
    Some(loads.wrapping_add(dest_index(dest)).cast())
}

/// A real server's slot as an index below their number.
// verifier: up to 6.7 it knows no bounds of what was or'ed together, as a connection's slot is; the compiler
// does, and would take the mask away
#[inline(always)]
fn dest_index(slot: u32) -> usize {
    atomic::veil(u64::from(slot)) as usize & (MAX_DESTS - 1)
}
