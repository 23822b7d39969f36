//! 2. Is it part of a connection? And 5. if not, it begins one.

use lvs_common::{
    conntable::{self, Bucket, Buckets, Entry, Hit, Insert, New, word},
    map::{Dest, Method, Tunables},
    net::Be16,
    tcp_state::{Direction, State, Transitions},
    verdict::{Reason, Verdict},
    wire::Tcp,
};

use crate::{account, packet::Packet, schedule::Chosen, tables::Tables};

/// The bucket of the tables' connection table.
pub(crate) type Row<T> = <<T as Tables>::Conns as Buckets>::Bucket;

/// A packet's connection, in the state that the packet brought it to.
pub(crate) struct Connection<B> {
    /// Where it stands.
    pub(crate) hit: Hit<B>,
    /// Slot of its real server.
    pub(crate) dest: u32,
    /// Slot of the real server's next hop.
    pub(crate) next_hop: u32,
}

/// The connection of a request, unless it is over or begins anew.
#[inline(always)]
pub(crate) fn find<T: Tables>(
    packet: &Packet,
    tables: &mut T,
) -> Result<Option<Connection<Row<T>>>, Verdict> {
    let key = packet.key();
    let Some(hit) = conntable::find(&tables.conns(), tables.hashes(key.client), key) else {
        return Ok(None);
    };
    if hit.entry.is_expired(tables.now()) || begins_anew(packet, &hit.entry, tables) {
        end(&hit, tables);
        return Ok(None);
    }
    let dest = hit.entry.dest();
    let (next_hop, available) = of(dest, tables)?;
    if !available {
        if tables.tunables().expire_nodest_conn == 0 {
            return Err(Verdict::Drop(Reason::DestRemoved));
        }
        end(&hit, tables);
        return Ok(None);
    }
    advance(packet, inward(hit.entry.method()), &hit, tables);
    Ok(Some(Connection { hit, dest, next_hop }))
}

/// The connection of a reply.
#[inline(always)]
pub(crate) fn find_reply<T: Tables>(
    packet: &Packet,
    tables: &mut T,
) -> Result<Connection<Row<T>>, Verdict> {
    let (client, peer) = packet.reply_key();
    let hashes = tables.hashes(client);
    let hit = conntable::find_reply(&tables.conns(), hashes, client, peer)
        .filter(|hit| hit.entry.method() == Method::MASQ)
        .filter(|hit| !hit.entry.is_expired(tables.now()))
        .ok_or(Verdict::Pass(Reason::NotReply))?;
    advance(packet, Direction::OUTPUT, &hit, tables);
    Ok(Connection { dest: hit.entry.dest(), hit, next_hop: 0 })
}

/// A new connection, to the real server that was chosen.
#[inline(always)]
pub(crate) fn open<T: Tables>(
    packet: &Packet,
    chosen: Chosen,
    tables: &mut T,
) -> Result<Connection<Row<T>>, Verdict> {
    let (tunables, now) = (tables.tunables(), tables.now());
    let direction = inward(chosen.method);
    let state = transitions(packet, direction).after(State::NONE);
    let port = if chosen.port == Be16::new(0) { packet.destination_port } else { chosen.port };
    let expires = now.wrapping_add(timeout(tunables, state));
    let done = tables.insert(New {
        key: packet.key(),
        dest: chosen.dest,
        method: chosen.method,
        state,
        peer: word::end(chosen.address, port),
        now,
        expires,
    });
    if let Some(evicted) = done.evicted {
        account::ended(&evicted, tables);
    }
    match done.what {
        Insert::New(hit) => {
            account::opened(chosen.dest, state, tables);
            Ok(Connection { hit, dest: chosen.dest, next_hop: chosen.next_hop })
        }
        Insert::Exists(hit) => {
            let dest = hit.entry.dest();
            let (next_hop, _) = of(dest, tables)?;
            advance(packet, direction, &hit, tables);
            Ok(Connection { hit, dest, next_hop })
        }
        Insert::Racing => Err(Verdict::Drop(Reason::Racing)),
        Insert::Full => Err(Verdict::Drop(Reason::TableFull)),
    }
}

/// Whether a SYN on an old connection's addresses and ports is to be scheduled as a new one
/// (`is_new_conn_expected`).
#[inline(always)]
fn begins_anew<T: Tables>(packet: &Packet, entry: &Entry, tables: &T) -> bool {
    if !packet.is_tcp() || packet.flags & Tcp::SYN == 0 {
        return false;
    }
    let mode = tables.tunables().conn_reuse_mode;
    if entry.state() == State::FIN_WAIT {
        // Only where replies are not seen: there it may well be over.
        return mode & 2 != 0 && entry.method() != Method::MASQ;
    }
    mode != 0 && entry.state().is_over()
}

/// Ends a connection; its accounts are settled by whoever really ended it.
#[inline(always)]
fn end<T: Tables>(hit: &Hit<Row<T>>, tables: &mut T) {
    if conntable::remove(hit) {
        account::ended(&hit.entry, tables);
    }
}

/// Takes the state machine a step on and sets the connection's new end.
#[inline(always)]
fn advance<T: Tables>(packet: &Packet, direction: Direction, hit: &Hit<Row<T>>, tables: &mut T) {
    let mut state = hit.entry.state();
    let transitions = transitions(packet, direction);
    if transitions.after(state) != state {
        // Rare: a handful of a connection's segments.
        match conntable::set_state(hit, transitions) {
            Some((before, after)) => {
                account::moved(hit.entry.dest(), before, after, tables);
                state = after;
            }
            None => return,
        }
    }
    let expires = tables.now().wrapping_add(timeout(tables.tunables(), state));
    hit.touch(expires);
}

#[inline(always)]
fn transitions(packet: &Packet, direction: Direction) -> Transitions {
    if packet.is_tcp() { Transitions::of(direction, packet.flags) } else { Transitions::UDP }
}

/// The direction of a connection's requests, by its forwarding method.
#[inline(always)]
fn inward(method: Method) -> Direction {
    if method == Method::MASQ { Direction::INPUT } else { Direction::INPUT_ONLY }
}

#[inline(always)]
fn timeout(tunables: &Tunables, state: State) -> u32 {
    tunables.timeouts[(state.number() & 15) as usize]
}

/// Next hop and availability of a real server.
#[inline(always)]
fn of<T: Tables>(dest: u32, tables: &T) -> Result<(u32, bool), Verdict> {
    let dest: &Dest = tables.dest(dest).ok_or(Verdict::Drop(Reason::Broken))?;
    Ok((dest.next_hop, dest.is_available()))
}

/// The peer of a NAT connection: where requests go and replies come from.
#[inline(always)]
pub(crate) fn peer<B: Bucket>(hit: &Hit<B>) -> Result<u64, Verdict> {
    hit.peer().ok_or(Verdict::Drop(Reason::Racing))
}
