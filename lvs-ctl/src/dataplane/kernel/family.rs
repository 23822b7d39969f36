//! One family's connection table, mapped.

use std::{io, net::IpAddr, os::fd::AsFd, sync::Arc};

use lvs_common::{
    conntable::{
        Hit, Key,
        ends::{self, Ends, short},
        shared::{BUCKET, Row, View},
        word,
    },
    net::{Addr, Addr6, Be32},
    template::Persistence,
};

use super::mapped::Mapped;

/// A table. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct FamilyTable {
    words: Arc<Mapped>,
    /// The secret of a table with ends: that of IPv6.
    seed: Option<[u64; 2]>,
}

impl FamilyTable {
    /// IPv4's.
    pub(super) fn v4(map: &impl AsFd, buckets: u32) -> io::Result<Self> {
        let words = Arc::new(Mapped::new(map, buckets as usize * BUCKET)?);
        Ok(Self { words, seed: None })
    }

    /// IPv6's.
    pub(super) fn v6(map: &impl AsFd, buckets: u32, seed: [u64; 2]) -> io::Result<Self> {
        let words = Arc::new(Mapped::new(map, buckets as usize * ends::BUCKET)?);
        Ok(Self { words, seed: Some(seed) })
    }

    /// Its connections.
    pub(super) fn view(&self) -> View<'_> {
        match self.seed {
            None => View::new(self.words.words()),
            Some(_) => View::with_ends(self.words.words()),
        }
    }

    /// The addresses of a connection's client and of what it calls; none when its slot has changed
    /// hands.
    pub(super) fn ends(&self, hit: &Hit<Row<'_>>) -> Option<(IpAddr, IpAddr)> {
        if self.seed.is_some() {
            let ends = Ends::read(hit)?;
            let ip = |address: Addr6| IpAddr::from(address.addr().v6());
            return Some((ip(ends.client), ip(ends.virtual_address)));
        }
        let ip = |address: Be32| IpAddr::from(address.bytes());
        Some((ip(hit.entry.client().0), ip(hit.entry.virtual_end().0)))
    }

    /// The key of the template that a connection of a persistent service goes by.
    pub(super) fn template(&self, hit: &Hit<Row<'_>>, service: Persistence) -> Option<Key> {
        let ((client, _), (address, port)) = (hit.entry.client(), hit.entry.virtual_end());
        let client = match self.seed {
            None => Be32::from_raw(client.raw() & service.netmask),
            Some(seed) => {
                let whole: Addr = Ends::read(hit)?.client.addr();
                short(Addr6::new(whole.network(service.netmask)), seed)
            }
        };
        let protocol = word::protocol_number(hit.entry.protocol());
        Some(service.key(client, protocol, address, port))
    }
}
