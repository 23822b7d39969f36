//! What the path asks of the maps.

use lvs_common::{
    conntable::{self, Buckets, Done, Entry, Hit, Key, New, ends::Ends},
    map::{Counters, Datagram, DatagramKey, Dest, NextHop, PathMtu, Service, ServiceKey, Tunables},
    net::{Addr, Be32, Mac, crc32c},
    pieces::Piece,
    verdict::Reason,
};

use crate::{
    connection::Row, fragment::Trace, icmp::limit::Limit, ip::Ip, packet::Packet, persist,
};

/// Where a packet to a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// By this hop.
    Hop(NextHop),
    /// There is a route, but the stack has to ask for the neighbour first.
    NoNeighbour,
    /// There is none.
    None,
}

/// The maps, as the path of one address family sees them.
///
/// Times are ticks of the connection clock. Slots come from other maps; one that is out of range has
/// no value.
pub trait Tables: Sized {
    /// The family's addresses.
    type Address: Ip;
    /// The family's connection table.
    type Conns: Buckets;

    /// The settings.
    fn tunables(&self) -> &Tunables;
    /// The clock.
    fn now(&self) -> u32;
    /// Whether the program runs in a generic hook, on packets that the stack has already seen.
    fn is_generic(&self) -> bool;

    /// Whether a frame to this link-layer address is for the director.
    fn is_host(&self, mac: Mac) -> bool;
    /// Whether some service may have this address.
    fn is_vip(&self, address: Self::Address) -> bool;
    /// Whether some masqueraded real server may have this address.
    fn is_masqueraded(&self, address: Self::Address) -> bool;

    /// The connection table.
    fn conns(&self) -> Self::Conns;
    /// A client's two places in it.
    fn hashes(&self, client: u64) -> (u32, u32);
    /// What stands for an address in the connection table: four bytes, the same for no two IPv4
    /// addresses and for hardly two of IPv6.
    fn short(&self, address: Self::Address) -> Be32;

    /// The connection of these words between these ends.
    #[inline(always)]
    fn find(&self, key: Key, ends: &Ends) -> Option<Hit<Row<Self>>> {
        // The words of IPv4 tell the ends.
        _ = ends;
        conntable::find(&self.conns(), self.hashes(key.client), key)
    }
    /// The template of these words between these ends.
    #[inline(always)]
    fn template(&self, key: Key, ends: &Ends) -> Option<Hit<Row<Self>>> {
        self.find(key, ends)
    }
    /// The virtual address that the client calls by a connection that was found for its reply; none
    /// when it is of other ends, or its slot has changed hands.
    fn virtual_address(
        &self,
        hit: &Hit<Row<Self>>,
        reply: &Packet<Self::Address>,
    ) -> Option<Self::Address>;
    /// [`conntable::insert`] into it.
    fn insert(&mut self, new: New, ends: &Ends) -> Done<Row<Self>>;

    /// Lets the template of a client's connection last.
    #[inline(always)]
    fn assure(&mut self, client: Self::Address, entry: &Entry) {
        persist::assure(client, entry, self);
    }

    /// The service of a key.
    fn service(&self, key: &ServiceKey) -> Option<&Service>;
    /// The firewall mark of a packet to a service's key; 0 is none.
    fn mark(&self, key: &ServiceKey) -> u32;
    /// The position that [`choose`](crate::schedule::choose) says over the service's pool.
    fn choose(&self, service: &Service, packet: &Packet<Self::Address>) -> Option<u32>;
    /// The dest slot at a position of a service's pool.
    fn dest_at(&self, service: &Service, position: u32) -> Option<u32>;
    /// The real server of a slot.
    fn dest(&self, slot: u32) -> Option<&Dest>;
    /// The next hop of a slot.
    fn next_hop(&self, slot: u32) -> Option<&NextHop>;
    /// What is known of the path to a tunnel's end, or of another one's.
    fn path(&self, server: Addr) -> Option<&PathMtu>;
    /// [`PathMtu::to`] a real server.
    #[inline(always)]
    fn mtu_to(&self, server: Addr) -> u32 {
        self.path(server).map_or(PathMtu::UNKNOWN, |path| path.to(server, self.now()))
    }
    /// The same, by its slot.
    #[inline(always)]
    fn path_mtu(&self, dest: u32) -> u32 {
        self.dest(dest).map_or(PathMtu::UNKNOWN, |dest| self.mtu_to(dest.address))
    }
    /// [`PathMtu::learn`] of the path to a real server, by its slot.
    fn learn_path(&mut self, dest: u32, mtu: u32);
    /// The way to a client, for a packet from `source` that came in where this one did.
    fn route(&mut self, source: Self::Address, client: Self::Address) -> Route;

    /// Looks for a fragment's datagram, and adds the fragment's piece to it; see [`datagram`](Self::datagram).
    fn trace(&mut self, key: &DatagramKey, piece: Piece) -> Trace;
    /// The datagram that was looked for last: what is known of it, or what will be.
    fn datagram(&mut self) -> Option<&mut Datagram>;
    /// Makes known what becomes of it, unless that is known already.
    fn remember(&mut self);

    /// [`crc32c::difference`].
    fn crc(&self, edit: u32, behind: u16) -> u32 {
        crc32c::difference(edit, behind, |bit| bit)
    }

    /// Adds to a word of a real server's load (see [`Load`](lvs_common::map::Load)); what it was.
    fn add_load(&mut self, dest: u32, word: usize, amount: u64) -> u64;
    /// Says whether a real server is overloaded, now that it has `total` connections.
    fn weigh(&mut self, dest: u32, total: u64);
    /// This CPU's counters of a real server.
    fn counters(&mut self, dest: u32) -> Option<&mut Counters>;
    /// How many ICMP errors this CPU may still send.
    fn limit(&mut self) -> Option<&mut Limit>;
    /// One more frame that was not forwarded.
    fn count_reason(&mut self, reason: Reason);
}
