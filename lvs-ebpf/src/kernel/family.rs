//! What the kernel's maps hold of one family, and the functions of its own.

use aya_ebpf::bindings::bpf_fib_lookup;
use lvs_common::{
    conntable::{
        self, Buckets, Done, Hit, Key, New,
        ends::{self, Ends},
    },
    map::MAX_DESTS,
    net::{Addr6, Be32},
};
use lvs_ebpf::{ip::Ip, packet::Packet};

use super::{
    conns::{Conns, Conns6, Row},
    function::{self, Scratch},
    maps::{DESTS, ROUTES, ROUTES6, SCRATCH, SCRATCH6, SEED_A, SEED_B},
    route::CachedRoute,
};

/// A family, by its addresses.
pub trait Kept: Ip + 'static {
    /// Its connection table.
    type Conns: Buckets<Bucket = Row>;
    /// The same.
    const CONNS: Self::Conns;
    /// Whether the table has ends.
    const HAS_ENDS: bool;

    /// See [`Tables::short`](lvs_ebpf::tables::Tables::short).
    fn short(self) -> Be32;
    /// See [`Tables::find`](lvs_ebpf::tables::Tables::find).
    fn find(hashes: (u32, u32), key: Key, ends: &Ends) -> Option<Hit<Row>>;
    /// See [`Tables::template`](lvs_ebpf::tables::Tables::template).
    fn template(hashes: (u32, u32), key: Key, ends: &Ends) -> Option<Hit<Row>>;
    /// See [`Tables::virtual_address`](lvs_ebpf::tables::Tables::virtual_address).
    fn virtual_address(hit: &Hit<Row>, reply: &Packet<Self>) -> Option<Self>;
    /// See [`Tables::insert`](lvs_ebpf::tables::Tables::insert).
    fn insert(hashes: (u32, u32), new: New, ends: &Ends) -> Done<Row>;

    /// This CPU's value for the functions' arguments.
    fn scratch() -> Option<*mut Scratch<Self>>;
    /// Calls [`function::insert_asked`] in a function of its own.
    fn call_insert() -> u32;
    /// Calls [`function::assure_asked`] in a function of its own.
    fn call_assure() -> u32;

    /// A place for a remembered way.
    fn route(place: u32) -> Option<*mut CachedRoute<Self>>;
    /// Asks the kernel for the way between two addresses.
    fn ask(request: &mut bpf_fib_lookup, source: Self, client: Self);
}

impl Kept for Be32 {
    type Conns = Conns;
    const CONNS: Conns = Conns;
    const HAS_ENDS: bool = false;

    #[inline(always)]
    fn short(self) -> Self {
        self
    }

    #[inline(always)]
    fn find(hashes: (u32, u32), key: Key, _: &Ends) -> Option<Hit<Row>> {
        conntable::find(&Conns, hashes, key)
    }

    #[inline(always)]
    fn template(hashes: (u32, u32), key: Key, _: &Ends) -> Option<Hit<Row>> {
        conntable::find(&Conns, hashes, key)
    }

    #[inline(always)]
    fn virtual_address(hit: &Hit<Row>, _: &Packet<Self>) -> Option<Self> {
        Some(hit.entry.virtual_end().0)
    }

    #[inline(always)]
    fn insert(hashes: (u32, u32), new: New, _: &Ends) -> Done<Row> {
        conntable::insert(&Conns, hashes, new)
    }

    #[inline(always)]
    fn scratch() -> Option<*mut Scratch<Self>> {
        SCRATCH.get_ptr_mut(0)
    }

    #[inline(always)]
    fn call_insert() -> u32 {
        function::lvs_insert()
    }

    #[inline(always)]
    fn call_assure() -> u32 {
        function::lvs_assure()
    }

    #[inline(always)]
    fn route(place: u32) -> Option<*mut CachedRoute<Self>> {
        ROUTES.get_ptr_mut(place)
    }

    #[inline(always)]
    fn ask(request: &mut bpf_fib_lookup, source: Self, client: Self) {
        const INET: u8 = 2;
        request.family = INET;
        request.__bindgen_anon_3.ipv4_src = source.raw();
        request.__bindgen_anon_4.ipv4_dst = client.raw();
    }
}

impl Kept for Addr6 {
    type Conns = Conns6;
    const CONNS: Conns6 = Conns6;
    const HAS_ENDS: bool = true;

    #[inline(always)]
    fn short(self) -> Be32 {
        ends::short(self, [SEED_A.load(), SEED_B.load()])
    }

    #[inline(always)]
    fn find(hashes: (u32, u32), key: Key, ends: &Ends) -> Option<Hit<Row>> {
        ends::find_between(&Conns6, hashes, key, ends)
    }

    #[inline(always)]
    fn template(hashes: (u32, u32), key: Key, ends: &Ends) -> Option<Hit<Row>> {
        function::find(hashes, key, ends)
    }

    #[inline(always)]
    fn virtual_address(hit: &Hit<Row>, reply: &Packet<Self>) -> Option<Self> {
        // verifier: an index below the number of dests
        let server = DESTS.get(0)?.get(hit.entry.dest() as usize & (MAX_DESTS - 1))?.address;
        let ends = Ends::read(hit)?;
        (ends.client == reply.destination && Self::new(server) == reply.source)
            .then_some(ends.virtual_address)
    }

    #[inline(always)]
    fn insert(hashes: (u32, u32), new: New, ends: &Ends) -> Done<Row> {
        ends::insert_between(&Conns6, hashes, new, ends)
    }

    #[inline(always)]
    fn scratch() -> Option<*mut Scratch<Self>> {
        SCRATCH6.get_ptr_mut(0)
    }

    #[inline(always)]
    fn call_insert() -> u32 {
        function::lvs_insert6()
    }

    #[inline(always)]
    fn call_assure() -> u32 {
        function::lvs_assure6()
    }

    #[inline(always)]
    fn route(place: u32) -> Option<*mut CachedRoute<Self>> {
        ROUTES6.get_ptr_mut(place)
    }

    #[inline(always)]
    fn ask(request: &mut bpf_fib_lookup, source: Self, client: Self) {
        const INET6: u8 = 10;
        request.family = INET6;
        request.__bindgen_anon_3.ipv6_src = source.addr().words().map(Be32::raw);
        request.__bindgen_anon_4.ipv6_dst = client.addr().words().map(Be32::raw);
    }
}
