//! What the maps hold of one family.

use lvs_common::{
    conntable::{
        self, Done, Hit, Key, New,
        ends::{self, Ends},
        shared::{Row, View},
    },
    net::{Addr6, Be32},
};

use super::Maps;
use crate::{ip::Ip, packet::Packet};

/// A family, by its addresses.
pub(super) trait Kept: Ip {
    /// See [`Tables::short`](crate::tables::Tables::short).
    fn short(self, maps: &Maps) -> Be32;

    /// See [`Tables::find`](crate::tables::Tables::find).
    fn find<'a>(
        table: &View<'a>,
        hashes: (u32, u32),
        key: Key,
        ends: &Ends,
    ) -> Option<Hit<Row<'a>>>;

    /// See [`Tables::virtual_address`](crate::tables::Tables::virtual_address).
    fn virtual_address(hit: &Hit<Row<'_>>, reply: &Packet<Self>, maps: &Maps) -> Option<Self>;

    /// See [`Tables::insert`](crate::tables::Tables::insert).
    fn insert<'a>(table: &View<'a>, hashes: (u32, u32), new: New, ends: &Ends) -> Done<Row<'a>>;
}

impl Kept for Be32 {
    fn short(self, _: &Maps) -> Self {
        self
    }

    fn find<'a>(table: &View<'a>, hashes: (u32, u32), key: Key, _: &Ends) -> Option<Hit<Row<'a>>> {
        conntable::find(table, hashes, key)
    }

    fn virtual_address(hit: &Hit<Row<'_>>, _: &Packet<Self>, _: &Maps) -> Option<Self> {
        Some(hit.entry.virtual_end().0)
    }

    fn insert<'a>(table: &View<'a>, hashes: (u32, u32), new: New, _: &Ends) -> Done<Row<'a>> {
        conntable::insert(table, hashes, new)
    }
}

impl Kept for Addr6 {
    fn short(self, maps: &Maps) -> Be32 {
        ends::short(self, maps.tunables.seed)
    }

    fn find<'a>(
        table: &View<'a>,
        hashes: (u32, u32),
        key: Key,
        ends: &Ends,
    ) -> Option<Hit<Row<'a>>> {
        ends::find_between(table, hashes, key, ends)
    }

    fn virtual_address(hit: &Hit<Row<'_>>, reply: &Packet<Self>, maps: &Maps) -> Option<Self> {
        let server = maps.dests.get(hit.entry.dest() as usize)?.address;
        let ends = Ends::read(hit)?;
        (ends.client == reply.destination && Self::new(server) == reply.source)
            .then_some(ends.virtual_address)
    }

    fn insert<'a>(table: &View<'a>, hashes: (u32, u32), new: New, ends: &Ends) -> Done<Row<'a>> {
        ends::insert_between(table, hashes, new, ends)
    }
}
