//! The maps: written by operations, read back, counted.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aya::{
    Ebpf,
    maps::{HashMap, Map, MapData, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use lvs_common::{
    map::{
        Addresses, Counters, Dest, MARK_PLACES, MAX_BUCKETS, MAX_DESTS, MAX_NEXT_HOPS,
        MAX_POOL_ENTRIES, MAX_SERVICES, MarkRule, NextHop, PoolEntry, Service, ServiceKey,
        Tunables, name,
    },
    net::{Addr, Be32},
    verdict::Reason,
};

use super::{
    KernelError,
    conntable::ConnTable,
    family::FamilyTable,
    interfaces::Interfaces,
    load::{self, Common},
    mapped::Mapped,
    memory::Memory,
    probing::Slots,
};
use crate::{
    model::Prefix,
    plan::{Op, adopt::Found, table},
};

/// Bits of a prefix's addresses that are put into the filter one by one; of more, all bits are set.
const SINGLE: u8 = 12;

/// The director's maps.
pub(super) struct Maps {
    services: HashMap<MapData, ServiceKey, Service>,
    counters: PerCpuArray<MapData, Counters>,
    reasons: PerCpuArray<MapData, u64>,
    addresses: Mapped,
    tunables: Arc<Mapped>,
    pools: Mapped,
    tables: Mapped,
    dests: Arc<Mapped>,
    next_hops: Arc<Mapped>,
    marks: Mapped,
    cursors: Mapped,
    /// Real servers' slots, for others.
    pub(super) slots: Slots,
    /// What lblc and lblcr remember.
    pub(super) memory: Memory,
    /// What lies below VLANs' interfaces.
    pub(super) interfaces: Interfaces,
    /// Connections and loads.
    pub(super) conns: ConnTable,
}

impl Maps {
    /// The maps of a loaded object.
    pub(super) fn new(
        ebpf: &mut Ebpf,
        common: Common,
        tunables: Arc<Mapped>,
    ) -> Result<Self, KernelError> {
        let dests = Arc::new(slab::<Dest>(ebpf, name::DESTS, MAX_DESTS)?);
        let loads = slab::<lvs_common::map::Load>(ebpf, name::LOADS, MAX_DESTS)?;
        let (services, again) = twice(take(ebpf, name::SERVICES)?)?;
        let families = [
            FamilyTable::v4(load::fd(ebpf, name::CONNS)?, common.buckets)
                .map_err(|source| KernelError::call("mmap", name::CONNS, source))?,
            FamilyTable::v6(load::fd(ebpf, name::CONNS6)?, common.buckets6, common.seed)
                .map_err(|source| KernelError::call("mmap", name::CONNS6, source))?,
        ];
        let conns = ConnTable::new(families, loads, dests.clone(), again);
        let interfaces = Interfaces::new(
            typed(take(ebpf, name::BELOW)?)?,
            typed(take(ebpf, name::HOST_MACS)?)?,
            Arc::clone(&tunables),
        );
        Ok(Self {
            tunables,
            addresses: slab::<Addresses>(ebpf, name::ADDRESSES, 1)?,
            pools: slab::<PoolEntry>(ebpf, name::POOLS, MAX_POOL_ENTRIES)?,
            tables: slab::<u16>(ebpf, name::TABLES, MAX_BUCKETS)?,
            dests,
            next_hops: Arc::new(slab::<NextHop>(ebpf, name::NEXT_HOPS, MAX_NEXT_HOPS)?),
            marks: slab::<MarkRule>(ebpf, name::MARKS, MARK_PLACES)?,
            cursors: slab::<u64>(ebpf, name::CURSORS, MAX_SERVICES)?,
            slots: Slots::default(),
            memory: Memory::new(typed(take(ebpf, name::REMEMBERED)?)?),
            interfaces,
            conns,
            services,
            counters: typed(take(ebpf, name::COUNTERS)?)?,
            reasons: typed(take(ebpf, name::REASONS)?)?,
        })
    }

    /// Makes one write.
    pub(super) fn apply(&mut self, op: &Op) -> Result<(), KernelError> {
        match op {
            Op::Fresh(slot) => {
                self.conns.forget_load(*slot);
                self.reset(*slot)?;
            }
            Op::Dest(slot, value) => {
                self.dests.write(*slot as usize, value);
                self.slots.note(*slot, value);
                self.conns.weigh(*slot);
            }
            Op::NextHop(slot, value) => self.next_hops.write(*slot as usize, value),
            Op::Pool(first, entries) => {
                for (place, entry) in (*first as usize..).zip(entries) {
                    self.pools.write(place, entry);
                }
            }
            Op::Table(first, buckets) => {
                let first = *first as usize / table::UNIT as usize;
                for (place, unit) in (first..).zip(buckets.chunks_exact(table::UNIT as usize)) {
                    let unit: [u16; table::UNIT as usize] = unit.try_into().unwrap_or_default();
                    self.tables.write(place, &unit);
                }
            }
            Op::Cursor(slot, cursor) => self.cursors.write(*slot as usize, cursor),
            Op::Kinds(kinds) => self.tunables.edit(0, |it: &mut Tunables| it.kinds = *kinds),
            Op::Vips(prefix) => self.look_at(*prefix),
            Op::Rip(address) => put(self.filters()[1], *address),
            Op::NoAddresses => {
                self.addresses.words().iter().for_each(|word| word.store(0, Ordering::Relaxed));
            }
            Op::Service(key, value) => self
                .services
                .insert(key, value, 0)
                .map_err(|error| map_error("write", name::SERVICES, error))?,
            Op::NoService(key) => self
                .services
                .remove(key)
                .map_err(|error| map_error("remove from", name::SERVICES, error))?,
        }
        Ok(())
    }

    /// What another controller left.
    pub(super) fn found(&self) -> Result<Found, KernelError> {
        let mut found = Found { era: self.memory.last_era()?, ..Found::default() };
        for entry in &self.services {
            let (key, service) = entry.map_err(|error| map_error("read", name::SERVICES, error))?;
            let places = service.pool as usize..(service.pool + service.len) as usize;
            let pool = places.map(|place| self.pools.read(place)).collect();
            found.services.push((key, service, pool));
        }
        for slot in 0..MAX_DESTS {
            let dest: Dest = self.dests.read(slot);
            if dest.flags & Dest::USED != 0 {
                let slot = u32::try_from(slot).unwrap_or(u32::MAX);
                self.slots.note(slot, &dest);
                found.dests.push((slot, dest));
            }
        }
        Ok(found)
    }

    /// The real servers, for others to read.
    pub(super) fn dests(&self) -> Arc<Mapped> {
        Arc::clone(&self.dests)
    }

    /// The next hops, for others to read.
    pub(super) fn next_hops(&self) -> Arc<Mapped> {
        Arc::clone(&self.next_hops)
    }

    /// Rules that mark packets, from a place on.
    pub(super) fn marks(&self, first: u32, count: u32) -> Vec<MarkRule> {
        (first..first + count).map(|place| self.marks.read(place as usize)).collect()
    }

    /// Writes rules that mark packets where none hold.
    pub(super) fn write_marks(&self, first: u16, rules: &[MarkRule]) {
        for (place, rule) in (usize::from(first)..).zip(rules) {
            self.marks.write(place, rule);
        }
    }

    /// Where a service's scheduler goes on.
    pub(super) fn cursor(&self, slot: u32) -> u64 {
        self.cursors.read(slot as usize)
    }

    /// Says how many addresses a service remembers, where the program counts them.
    pub(super) fn count_remembered(&self, slot: u32, count: u64) {
        self.cursors.write(slot as usize, &count);
    }

    /// What a real server had, all CPUs together.
    pub(super) fn counters(&self, slot: u32) -> Counters {
        let mut sum = Counters::default();
        if let Ok(counters) = self.counters.get(&slot, 0) {
            counters.iter().for_each(|more| sum += *more);
        }
        sum
    }

    /// How often each reason ended a packet's way.
    pub(super) fn reasons(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.iter().map(|reason| {
            let counts = self.reasons.get(&(*reason as u32), 0);
            (*reason, counts.map_or(0, |counts| counts.iter().sum()))
        })
    }

    fn reset(&mut self, slot: u32) -> Result<(), KernelError> {
        let cpus = nr_cpus().map_err(|(path, source)| KernelError::call("read", path, source))?;
        let zero = PerCpuValues::try_from(vec![Counters::default(); cpus])
            .map_err(|source| KernelError::call("reset", name::COUNTERS, source))?;
        self.counters.set(slot, zero, 0).map_err(|error| map_error("reset", name::COUNTERS, error))
    }

    /// Puts a prefix's addresses into the set of VIPs.
    fn look_at(&self, prefix: Prefix) {
        let [vips, _] = self.filters();
        match prefix.address() {
            _ if prefix.host_bits() > SINGLE => {
                for word in vips {
                    word.store(u64::MAX, Ordering::Relaxed);
                }
            }
            IpAddr::V4(first) => {
                for host in 0..1u32 << prefix.host_bits() {
                    put(vips, Ipv4Addr::from(first.to_bits() | host).into());
                }
            }
            IpAddr::V6(first) => {
                for host in 0..1u128 << prefix.host_bits() {
                    put(vips, Ipv6Addr::from(first.to_bits() | host).into());
                }
            }
        }
    }

    /// The two sets of addresses: VIPs, and RIPs of masqueraded real servers.
    fn filters(&self) -> [&[AtomicU64]; 2] {
        let words = self.addresses.words();
        let (vips, rips) = words.split_at(words.len() / 2);
        [vips, rips]
    }
}

/// Puts an address into a set.
fn put(set: &[AtomicU64], address: IpAddr) {
    let folded = match address {
        IpAddr::V4(v4) => Be32::from_bytes(v4.octets()),
        IpAddr::V6(v6) => Addr::from(v6).fold(),
    };
    let (word, bit) = Addresses::place(folded);
    if let Some(word) = set.get(word) {
        word.fetch_or(bit, Ordering::Relaxed);
    }
}

fn slab<T>(ebpf: &Ebpf, name: &'static str, places: usize) -> Result<Mapped, KernelError> {
    let words = places * size_of::<T>() / size_of::<u64>();
    Mapped::new(load::fd(ebpf, name)?, words)
        .map_err(|source| KernelError::call("mmap", name, source))
}

/// Two handles of the services: the second is the sweeper's.
fn twice<M: TryFrom<Map, Error = aya::maps::MapError>>(map: Map) -> Result<(M, M), KernelError> {
    let failed = |source| KernelError::call("open", name::SERVICES, source);
    let Map::HashMap(data) = &map else { return Err(KernelError::Missing(name::SERVICES)) };
    let fd = data.fd().as_fd().try_clone_to_owned().map_err(failed)?;
    let again = MapData::from_fd(fd).map_err(|error| map_error("open", name::SERVICES, error))?;
    Ok((typed(map)?, typed(Map::HashMap(again))?))
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, KernelError> {
    ebpf.take_map(name).ok_or(KernelError::Missing(name))
}

fn typed<M: TryFrom<Map, Error = aya::maps::MapError>>(map: Map) -> Result<M, KernelError> {
    M::try_from(map).map_err(|error| map_error("open", "map", error))
}

pub(super) fn map_error(
    call: &'static str,
    name: &'static str,
    error: aya::maps::MapError,
) -> KernelError {
    KernelError::call(call, name, std::io::Error::other(error))
}
