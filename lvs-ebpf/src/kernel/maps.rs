//! Every map, in one screen. Who writes which: `lvs_common::map`.

use aya_ebpf::{
    Global,
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, ProgramArray, RingBuf},
    macros::btf_map,
};
use lvs_common::{
    conntable::{WAYS, WORDS, ends},
    map::{
        Addresses, Below, Called, Counters, Datagram, DatagramKey, Dest, Early, HostMac, Load,
        MARK_PLACES, MAX_BELOW, MAX_BUCKETS, MAX_DATAGRAMS, MAX_DESTS, MAX_HOST_MACS,
        MAX_NEXT_HOPS, MAX_PATHS, MAX_POOL_ENTRIES, MAX_REMEMBERED, MAX_SERVICES, MarkRule,
        NextHop, PathMtu, PoolEntry, ProbeFlow, ProbeKey, Probed, ProbedEnd, Service, ServiceKey,
        Tunables,
        early::{EARLY_BYTES, FIRSTS_BYTES},
        probe::{MAX_PROBED, MAX_PROBES},
        rest,
    },
    net::{Addr6, Be32},
    sched::Remembered,
    verdict::Reason,
};

use super::{
    choose::Choice,
    datagrams::Traced,
    function::Scratch,
    route::{self, CachedRoute},
};

const MAPPED: usize = BPF_F_MMAPABLE as usize;
const ON_DEMAND: usize = BPF_F_NO_PREALLOC as usize;

/// The controller sets the number of buckets when it makes the map.
#[btf_map]
pub static CONNS: Array<[u64; WAYS * WORDS], 1024, MAPPED> = Array::new();

/// The same.
#[btf_map]
pub static CONNS6: Array<[u64; ends::BUCKET], 1024, MAPPED> = Array::new();

#[btf_map]
pub static TUNABLES: Array<Tunables, 1, MAPPED> = Array::new();

#[btf_map]
pub static ADDRESSES: Array<Addresses, 1, MAPPED> = Array::new();

/// Not preallocated: an element that a packet still reads is not used again before it is done.
#[btf_map]
pub static SERVICES: HashMap<ServiceKey, Service, MAX_SERVICES, ON_DEMAND> = HashMap::new();

#[btf_map]
pub static POOLS: Array<[PoolEntry; MAX_POOL_ENTRIES], 1, MAPPED> = Array::new();

#[btf_map]
pub static TABLES: Array<[u16; MAX_BUCKETS], 1, MAPPED> = Array::new();

#[btf_map]
pub static DESTS: Array<[Dest; MAX_DESTS], 1, MAPPED> = Array::new();

#[btf_map]
pub static NEXT_HOPS: Array<[NextHop; MAX_NEXT_HOPS], 1, MAPPED> = Array::new();

/// Not preallocated, as above.
#[btf_map]
pub static BELOW: HashMap<u32, Below, MAX_BELOW, ON_DEMAND> = HashMap::new();

/// The same.
#[btf_map]
pub static HOST_MACS: HashMap<HostMac, u32, MAX_HOST_MACS, ON_DEMAND> = HashMap::new();

#[btf_map]
pub static MARKS: Array<[MarkRule; MARK_PLACES], 1, MAPPED> = Array::new();

#[btf_map]
pub static LOADS: Array<[Load; MAX_DESTS], 1, MAPPED> = Array::new();

#[btf_map]
pub static CURSORS: Array<[u64; MAX_SERVICES], 1, MAPPED> = Array::new();

/// Not preallocated, as above.
#[btf_map]
pub static REMEMBERED: HashMap<Called, Remembered, MAX_REMEMBERED, ON_DEMAND> = HashMap::new();

/// The datagram that no fragment came of for longest gives way.
#[btf_map]
pub static FRAGMENTS: LruHashMap<DatagramKey, Datagram, MAX_DATAGRAMS> = LruHashMap::new();

/// What this CPU asks of it.
#[btf_map]
pub static TRACED: PerCpuArray<Traced, 1> = PerCpuArray::new();

/// Fragments that came before the first.
#[btf_map]
pub static EARLY: RingBuf<Early, EARLY_BYTES> = RingBuf::new();

/// Datagrams whose first fragment has come, while somebody waits for it.
#[btf_map]
pub static FIRSTS: RingBuf<DatagramKey, FIRSTS_BYTES> = RingBuf::new();

/// Whether anybody holds early fragments.
#[btf_map]
pub static HOLDS: Array<u64, 1, MAPPED> = Array::new();

#[btf_map]
pub static COUNTERS: PerCpuArray<Counters, MAX_DESTS> = PerCpuArray::new();

#[btf_map]
pub static REASONS: PerCpuArray<u64, { Reason::CAPACITY }> = PerCpuArray::new();

/// Flows of health checks.
#[btf_map]
pub static PROBES: LruHashMap<ProbeKey, ProbeFlow, MAX_PROBES> = LruHashMap::new();

/// Not preallocated: few real servers' ends are ever probed.
#[btf_map]
pub static PROBED: HashMap<ProbedEnd, Probed, MAX_PROBED, ON_DEMAND> = HashMap::new();

/// What routers said of the ways to tunnels' ends.
#[btf_map]
pub static PATHS: Array<[PathMtu; MAX_PATHS], 1> = Array::new();

/// Ways to clients that this CPU has asked the kernel for; see `route`.
#[btf_map]
pub static ROUTES: PerCpuArray<CachedRoute<Be32>, { route::PLACES }> = PerCpuArray::new();

/// Those to clients of IPv6.
#[btf_map]
pub static ROUTES6: PerCpuArray<CachedRoute<Addr6>, { route::PLACES }> = PerCpuArray::new();

/// What this CPU's choice of a real server is about.
#[btf_map]
pub static CHOICE: PerCpuArray<Choice, 1> = PerCpuArray::new();

/// What the program goes on in: the rest, and the way of IPv6; each in one place for the driver's hook
/// and in the next for the generic one.
#[btf_map]
pub static REST: ProgramArray<{ rest::PLACES }> = ProgramArray::new();

/// What the packet's way and its functions leave for each other.
#[btf_map]
pub static SCRATCH: PerCpuArray<Scratch<Be32>, 1> = PerCpuArray::new();

/// The same on the way of IPv6.
#[btf_map]
pub static SCRATCH6: PerCpuArray<Scratch<Addr6>, 1> = PerCpuArray::new();

/// Buckets of [`CONNS`] and of [`CONNS6`], and the secret of their hashes.
#[unsafe(no_mangle)]
pub static BUCKETS: Global<u32> = Global::new(1024);
#[unsafe(no_mangle)]
pub static BUCKETS6: Global<u32> = Global::new(1024);
#[unsafe(no_mangle)]
pub static SEED_A: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
pub static SEED_B: Global<u64> = Global::new(0);

/// The clock's tick is 2 to this power jiffies.
#[unsafe(no_mangle)]
pub static TICK_SHIFT: Global<u32> = Global::new(0);

/// 1 where the program runs in a generic hook.
#[unsafe(no_mangle)]
pub static GENERIC: Global<u32> = Global::new(0);

/// 0 where the rest of the way has only what connections of IPv4 begin with: such a program is there soon.
#[unsafe(no_mangle)]
pub static WHOLE: Global<u32> = Global::new(1);
