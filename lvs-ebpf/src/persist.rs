//! 4 and 5 of persistent services: a template says where the client's connections go, or is made
//! (`ip_vs_sched_persist`). What a template is: [`lvs_common::template`].

use lvs_common::{
    conntable::{self, Entry, Hit, Key, New, ends::Ends, word},
    map::Dest,
    net::{Be16, Be32},
    tcp_state::{State, Transitions},
    template::Persistence,
    verdict::{Reason, Verdict},
};

use crate::{
    account,
    connection::{Inserted, Row, end, insert},
    ip::Ip,
    packet::Packet,
    tables::Tables,
};

/// For so long the sweeper may leave a template that is over, seconds: it may have been about to
/// prolong it.
const GRACE_S: u32 = 2;

/// The key of a client's template for connections of a protocol to an address and port, and its ends.
#[inline(always)]
fn key<T: Tables>(
    persistence: Persistence,
    client: T::Address,
    protocol: u8,
    (address, port): (T::Address, Be16),
    tables: &T,
) -> (Key, Ends) {
    let client = client.masked(persistence.netmask);
    let key = persistence.key(tables.short(client), protocol, tables.short(address), port);
    (key, persistence.ends(client.wide(), address.wide()))
}

/// Those of the template for a packet.
#[inline(always)]
fn key_of<T: Tables>(
    packet: &Packet<T::Address>,
    persistence: Persistence,
    tables: &T,
) -> (Key, Ends) {
    let called = (packet.destination, packet.destination_port);
    key(persistence, packet.source, packet.protocol, called, tables)
}

/// What is remembered of a client.
#[derive(Clone, Copy)]
pub(crate) enum Template<B> {
    /// A real server that it still may be sent to.
    Valid(Hit<B>),
    /// One that it must not be sent to any more.
    Invalid(Hit<B>),
    /// None.
    Missing,
    /// Nothing: its service is not persistent.
    // verifier: not the `None` of an `Option`, which says nothing of the variant inside it; up to 6.7 it does
    // not know any more, where it asks for the variant, that it has gone the way of a `None`
    Needless,
}

/// The template of the packet's client (`ip_vs_ct_in_get`, `ip_vs_check_template`).
#[inline(always)]
pub(crate) fn find<T: Tables>(
    packet: &Packet<T::Address>,
    persistence: Persistence,
    tables: &T,
) -> Template<Row<T>> {
    let (key, ends) = key_of(packet, persistence, tables);
    let Some(hit) = tables.template(key, &ends) else { return Template::Missing };
    match tables.dest(hit.entry.dest()) {
        Some(dest) if is_valid(&hit.entry, dest, tables) => Template::Valid(hit),
        _ => Template::Invalid(hit),
    }
}

/// The real server that the packet goes to, `dest` being the template's or the scheduler's choice; the
/// template begins its time anew, or there is a new one.
#[inline(always)]
pub(crate) fn follow<T: Tables>(
    packet: &Packet<T::Address>,
    persistence: Persistence,
    template: Template<Row<T>>,
    dest: Result<u32, Verdict>,
    tables: &mut T,
) -> Result<u32, Verdict> {
    match template {
        Template::Valid(hit) => {
            renew(&hit, tables);
            return dest;
        }
        Template::Invalid(hit) => end(&hit, tables),
        Template::Missing => {}
        Template::Needless => return dest,
    }
    remember(packet, persistence, dest?, tables)
}

/// Remembers the real server that was chosen for the packet's client; another CPU's choice, if it
/// was faster.
#[inline(always)]
fn remember<T: Tables>(
    packet: &Packet<T::Address>,
    persistence: Persistence,
    slot: u32,
    tables: &mut T,
) -> Result<u32, Verdict> {
    let dest = *tables.dest(slot).ok_or(Verdict::Drop(Reason::Broken))?;
    let lifetime = persistence.lifetime_s.wrapping_mul(tables.tunables().ticks_per_second);
    let (key, ends) = key_of(packet, persistence, tables);
    let is_for_port = persistence.is_for_port(packet.destination_port);
    let port = if is_for_port { dest.port } else { Be16::new(0) };
    let now = tables.now();
    let new = New {
        key,
        dest: slot,
        method: dest.method,
        keeps_port: false,
        state: State::NONE,
        peer: word::end(Be32::from_raw(lifetime), port),
        now,
        expires: now.wrapping_add(lifetime),
    };
    match insert(new, &ends, tables)? {
        Inserted::New(_) => {
            account::remembered(slot, tables);
            Ok(slot)
        }
        Inserted::Exists(hit) => Ok(hit.entry.dest()),
    }
}

/// Notes in a connection's template that the connection came about (`ip_vs_control_assure_ct`). One that
/// has since taken its place, toward another real server, is not its template.
#[inline(always)]
pub fn assure<T: Tables>(client: T::Address, entry: &Entry, tables: &mut T) {
    let Some(service_key) = tables.dest(entry.dest()).map(|dest| dest.service) else { return };
    let Some(service) = tables.service(&service_key) else { return };
    let Some(persistence) = Persistence::of(service) else { return };
    let called = (T::Address::narrow(service_key.address), entry.virtual_end().1);
    let (key, ends) = key(persistence, client, service_key.protocol, called, tables);
    if let Some(hit) = tables.find(key, &ends)
        && hit.entry.dest() == entry.dest()
        && hit.entry.state() != State::ESTABLISHED
    {
        // Its accounts are not those of connections: a template is never active.
        conntable::set_state(&hit, Transitions::to(State::ESTABLISHED));
    }
}

#[inline(always)]
fn is_valid<T: Tables>(entry: &Entry, dest: &Dest, tables: &T) -> bool {
    let tunables = tables.tunables();
    let grace = tunables.ticks_per_second * GRACE_S;
    if entry.is_expired(tables.now().wrapping_sub(grace)) || !dest.is_available() {
        return false;
    }
    tunables.expire_quiescent_template == 0 || dest.weight != 0
}

/// A template begins its time anew, the time that it has itself.
#[inline(always)]
fn renew<T: Tables>(hit: &Hit<Row<T>>, tables: &T) {
    if let Some(peer) = hit.peer() {
        let (lifetime, _) = word::split(peer);
        hit.touch(tables.now().wrapping_add(lifetime.raw()));
    }
}
