//! 2. Is it part of a connection? And 5. if not, it begins one.

use lvs_common::{
    conntable::{self, Buckets, Entry, Hit, Insert, New, ends::Ends, word},
    map::{Dest, Method, Tunables},
    net::Be16,
    sctp_state,
    tcp_state::{Direction, State, Transitions},
    verdict::{Reason, Verdict},
};

use crate::{account, forward::send, ip::Ip, packet::Packet, tables::Tables};

const BROKEN: Verdict = Verdict::Drop(Reason::Broken);

/// The bucket of the tables' connection table.
pub(crate) type Row<T> = <<T as Tables>::Conns as Buckets>::Bucket;

/// A request's connection, in the state that the packet brought it to.
#[derive(Clone, Copy)]
pub struct Connection {
    /// Slot of its real server.
    pub(crate) dest: u32,
    /// Slot of the real server's next hop.
    pub(crate) next_hop: u32,
    /// How packets reach the real server.
    pub(crate) method: Method,
    /// NAT leaves the port as it is, whatever port the real server has.
    pub(crate) keeps_port: bool,
}

impl Connection {
    /// Slot of its real server's next hop.
    #[inline(always)]
    #[must_use]
    pub const fn next_hop(&self) -> u32 {
        self.next_hop
    }
}

/// A reply's connection.
pub(crate) struct Reply<A> {
    /// Slot of its real server.
    pub(crate) dest: u32,
    /// The address and port that the client called.
    pub(crate) virtual_end: (A, Be16),
}

/// The connection of a request, unless it is over or begins anew.
#[inline(always)]
pub(crate) fn find<T: Tables>(
    packet: &Packet<T::Address>,
    tables: &mut T,
) -> Result<Option<Connection>, Verdict> {
    let key = packet.key(tables);
    let Some(hit) = tables.find(key, &packet.ends()) else { return Ok(None) };
    let slot = hit.entry.dest();
    let dest = tables.dest(slot).ok_or(BROKEN)?;
    let (next_hop, available) = (dest.next_hop, dest.is_available());
    if hit.entry.is_expired(tables.now()) || begins_anew(packet, &hit.entry, dest, tables) {
        end(&hit, tables);
        return Ok(None);
    }
    if !available {
        if tables.tunables().expire_nodest_conn == 0 {
            return Err(Verdict::Drop(Reason::DestRemoved));
        }
        end(&hit, tables);
        return Ok(None);
    }
    let method = hit.entry.method();
    advance(packet, packet.source, inward(method), &hit, tables);
    Ok(Some(Connection { dest: slot, next_hop, method, keeps_port: hit.entry.keeps_port() }))
}

/// The connection of a reply, if it has one.
#[inline(always)]
pub(crate) fn find_reply<T: Tables>(
    packet: &Packet<T::Address>,
    tables: &mut T,
) -> Option<Reply<T::Address>> {
    let (client, peer) = packet.reply_key(tables);
    let hashes = tables.hashes(client);
    let hit = conntable::find_reply(&tables.conns(), hashes, client, peer)
        .filter(|hit| hit.entry.method() == Method::MASQ)
        .filter(|hit| !hit.entry.is_expired(tables.now()));
    let hit = hit?;
    let address = tables.virtual_address(&hit, packet)?;
    advance(packet, packet.destination, Direction::OUTPUT, &hit, tables);
    let (_, port) = hit.entry.virtual_end();
    Some(Reply { dest: hit.entry.dest(), virtual_end: (address, port) })
}

/// A new connection, to the real server that was chosen. `templated` when a template led there.
#[inline(always)]
pub(crate) fn begin<T: Tables>(
    packet: &Packet<T::Address>,
    slot: u32,
    keeps_port: bool,
    templated: bool,
    tables: &mut T,
) -> Result<Connection, Verdict> {
    let (tunables, now) = (tables.tunables(), tables.now());
    let dest = tables.dest(slot).ok_or(BROKEN)?;
    let next_hop = dest.next_hop;
    let keeps = keeps_port || dest.port == Be16::new(0);
    let port = if keeps { packet.destination_port } else { dest.port };
    let method = method(packet, dest, port, tables)?;
    let direction = inward(method);
    let state = transitions(packet, direction, tunables).after(packet.none());
    let address = tables.short(T::Address::narrow(dest.address));
    let flags = if templated { word::TEMPLATED } else { 0 };
    let expires = now.wrapping_add(timeout::<T>(tunables, state));
    let new = New {
        key: packet.key(tables),
        dest: slot,
        method,
        keeps_port,
        state,
        peer: word::end(address, port) | flags,
        now,
        expires,
    };
    match insert(new, &packet.ends(), tables)? {
        Inserted::New(hit) => {
            account::opened(slot, state, tables);
            if templated && state.assures() {
                tables.assure(packet.source, &hit.entry);
            }
            Ok(Connection { dest: slot, next_hop, method, keeps_port })
        }
        Inserted::Exists(hit) => {
            advance(packet, packet.source, direction, &hit, tables);
            let (slot, method) = (hit.entry.dest(), hit.entry.method());
            let next_hop = tables.dest(slot).ok_or(BROKEN)?.next_hop;
            Ok(Connection { dest: slot, next_hop, method, keeps_port: hit.entry.keeps_port() })
        }
    }
}

/// How a new connection's packets reach the real server. To the director itself they go as they are: the
/// stack answers from where it was asked, so that there is nothing to translate, and no reply to be seen.
///
/// # Errors
/// The real server is the director itself, on another port.
#[inline(always)]
fn method<T: Tables>(
    packet: &Packet<T::Address>,
    dest: &Dest,
    port: Be16,
    tables: &T,
) -> Result<Method, Verdict> {
    let is_local = || send::hop(dest.next_hop, tables).err() == Some(send::LOCAL);
    if dest.method != Method::MASQ || !is_local() {
        return Ok(dest.method);
    }
    if port != packet.destination_port {
        return Err(Verdict::Drop(Reason::LocalPort));
    }
    Ok(Method::DIRECT_ROUTE)
}

/// What stands in the table now: this, or what another CPU was faster with.
pub(crate) enum Inserted<B> {
    /// This one; its accounts are the caller's.
    New(Hit<B>),
    /// Another one of the same key.
    Exists(Hit<B>),
}

/// Puts a connection or a template into the table, and settles the accounts of the one that gives way.
///
/// # Errors
/// There is no place for it, or another CPU takes it right now.
#[inline(always)]
pub(crate) fn insert<T: Tables>(
    new: New,
    ends: &Ends,
    tables: &mut T,
) -> Result<Inserted<Row<T>>, Verdict> {
    let done = tables.insert(new, ends);
    if let Some(evicted) = done.evicted {
        account::ended(&evicted, tables);
    }
    match done.what {
        Insert::New(hit) => Ok(Inserted::New(hit)),
        Insert::Exists(hit) => Ok(Inserted::Exists(hit)),
        Insert::Racing => Err(Verdict::Drop(Reason::Racing)),
        Insert::Full => Err(Verdict::Drop(Reason::TableFull)),
    }
}

/// The connection of this packet alone (one-packet scheduling), which nobody remembers.
#[inline(always)]
pub(crate) fn fleeting<T: Tables>(
    packet: &Packet<T::Address>,
    slot: u32,
    keeps_port: bool,
    tables: &T,
) -> Result<Connection, Verdict> {
    let dest = tables.dest(slot).ok_or(BROKEN)?;
    let keeps = keeps_port || dest.port == Be16::new(0);
    let port = if keeps { packet.destination_port } else { dest.port };
    let method = method(packet, dest, port, tables)?;
    Ok(Connection { dest: slot, next_hop: dest.next_hop, method, keeps_port })
}

/// Ends a connection; its accounts are settled by whoever really ended it.
#[inline(always)]
pub(crate) fn end<T: Tables>(hit: &Hit<Row<T>>, tables: &mut T) {
    if conntable::remove(hit) {
        account::ended(&hit.entry, tables);
    }
}

/// Whether a SYN on an old connection's addresses and ports is to be scheduled as a new one: its real
/// server is quiesced and `expire_nodest_conn` set, or it is over (`is_new_conn_expected`).
#[inline(always)]
fn begins_anew<T: Tables>(
    packet: &Packet<T::Address>,
    entry: &Entry,
    dest: &Dest,
    tables: &T,
) -> bool {
    if !packet.asks() {
        return false;
    }
    let tunables = tables.tunables();
    if tunables.expire_nodest_conn != 0 && dest.weight == 0 {
        return true;
    }
    let mode = tunables.conn_reuse_mode;
    if entry.state() == State::FIN_WAIT {
        // Only where replies are not seen: there it may well be over.
        return mode & 2 != 0 && entry.method() != Method::MASQ;
    }
    mode != 0 && entry.state().is_over()
}

/// Takes the state machine a step on and sets the connection's new end.
#[inline(always)]
fn advance<T: Tables>(
    packet: &Packet<T::Address>,
    client: T::Address,
    direction: Direction,
    hit: &Hit<Row<T>>,
    tables: &mut T,
) {
    let mut state = hit.entry.state();
    let transitions = transitions(packet, direction, tables.tunables());
    if transitions.after(state) != state {
        // Rare: a handful of a connection's segments.
        match conntable::set_state(hit, transitions) {
            Some((before, after)) => {
                account::moved(hit.entry.dest(), before, after, tables);
                if after.assures() && hit.peer().is_some_and(|peer| peer & word::TEMPLATED != 0) {
                    tables.assure(client, &hit.entry);
                }
                state = after;
            }
            None => return,
        }
    }
    let expires = tables.now().wrapping_add(timeout::<T>(tables.tunables(), state));
    hit.touch(expires);
}

#[inline(always)]
fn transitions<A: Ip>(
    packet: &Packet<A>,
    direction: Direction,
    tunables: &Tunables,
) -> Transitions {
    if packet.is_tcp() {
        Transitions::of(direction, packet.flags, tunables.secure_tcp)
    } else if !packet.is_udp() {
        sctp_state::transitions(direction, packet.event())
    } else if direction == Direction::OUTPUT {
        Transitions::UDP_REPLY
    } else {
        Transitions::UDP
    }
}

/// The direction of a connection's requests, by its forwarding method.
#[inline(always)]
fn inward(method: Method) -> Direction {
    if method == Method::MASQ { Direction::INPUT } else { Direction::INPUT_ONLY }
}

#[inline(always)]
fn timeout<T: Tables>(tunables: &Tunables, state: State) -> u32 {
    // verifier: up to 6.7 it knows no bounds of what was or'ed together
    let number = T::Conns::veil(state.number().into()) as usize;
    tunables.timeouts[number & 31]
}
