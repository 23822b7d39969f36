//! Persistence: a client's connections go to one real server, which a template in the connection table
//! remembers (`ip_vs_sched_persist`).
//!
//! | service | template's key: protocol, virtual end |
//! | --- | --- |
//! | address and port | the packet's, VIP and port |
//! | address and port 21 (ftp), or port 0 | the packet's, VIP and 0 |
//! | firewall mark | 0, the mark and 0 |
//!
//! The client's address is masked, its port is the protocol.

use lvs_common::{
    conntable::{self, Entry, Hit, Insert, Key, New, word},
    map::{Dest, Service},
    net::{Be16, Be32},
    tcp_state::{State, Transitions},
    verdict::{Reason, Verdict},
};

use crate::{
    account,
    classify::FTP,
    connection::{Row, end},
    ip::Ip,
    packet::Packet,
    tables::Tables,
};

/// For so long the sweeper may leave a template that is over, seconds: it may have been about to
/// prolong it.
const GRACE_S: u32 = 2;

/// What a persistent service says of templates.
#[derive(Clone, Copy)]
pub(crate) struct Persistence {
    /// Lifetime of a template, seconds.
    lifetime_s: u32,
    netmask: u32,
    mark: u32,
    /// The service's.
    pub(crate) port: Be16,
}

impl Persistence {
    /// What a service says, if it is persistent.
    #[inline(always)]
    pub(crate) fn of(service: &Service) -> Option<Self> {
        service.has(Service::PERSISTENT).then_some(Self {
            lifetime_s: service.persistence_s,
            netmask: service.netmask,
            mark: service.mark,
            port: service.port,
        })
    }

    /// The key of a template for connections to a port of a virtual address.
    #[inline(always)]
    fn key<T: Tables>(
        self,
        client: T::Address,
        protocol: u8,
        address: T::Address,
        port: Be16,
        tables: &T,
    ) -> Key {
        const NO_PORT: Be16 = Be16::new(0);
        let client = tables.short(client.masked(self.netmask));
        if self.mark != 0 {
            return Key::new(word::TEMPLATE, client, NO_PORT, Be32::new(self.mark), NO_PORT);
        }
        let port = if port == self.port && port != FTP { port } else { NO_PORT };
        let protocol = Be16::new(protocol as u16);
        Key::new(word::TEMPLATE, client, protocol, tables.short(address), port)
    }

    #[inline(always)]
    fn key_of<T: Tables>(self, packet: &Packet<T::Address>, tables: &T) -> Key {
        let (address, port) = (packet.destination, packet.destination_port);
        self.key(packet.source, packet.protocol, address, port, tables)
    }
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
}

/// The template of the packet's client (`ip_vs_ct_in_get`, `ip_vs_check_template`).
#[inline(always)]
pub(crate) fn find<T: Tables>(
    packet: &Packet<T::Address>,
    persistence: Persistence,
    tables: &T,
) -> Template<Row<T>> {
    let key = persistence.key_of(packet, tables);
    let Some(hit) = conntable::find(&tables.conns(), tables.hashes(key.client), key) else {
        return Template::Missing;
    };
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
    let key = persistence.key_of(packet, tables);
    let port = if packet.destination_port == persistence.port && persistence.port != FTP {
        dest.port
    } else {
        Be16::new(0)
    };
    let now = tables.now();
    let done = tables.insert(New {
        key,
        dest: slot,
        method: dest.method,
        keeps_port: false,
        state: State::NONE,
        peer: word::end(Be32::from_raw(lifetime), port),
        now,
        expires: now.wrapping_add(lifetime),
    });
    if let Some(evicted) = done.evicted {
        account::ended(&evicted, tables);
    }
    match done.what {
        Insert::New(_) => {
            account::remembered(slot, tables);
            Ok(slot)
        }
        Insert::Exists(hit) => Ok(hit.entry.dest()),
        Insert::Racing => Err(Verdict::Drop(Reason::Racing)),
        Insert::Full => Err(Verdict::Drop(Reason::TableFull)),
    }
}

/// Notes in a connection's template that the connection came about (`ip_vs_control_assure_ct`).
#[inline(always)]
pub fn assure<T: Tables>(client: T::Address, entry: &Entry, tables: &mut T) {
    let Some(service_key) = tables.dest(entry.dest()).map(|dest| dest.service) else { return };
    let Some(service) = tables.service(&service_key) else { return };
    let Some(persistence) = Persistence::of(service) else { return };
    let (address, protocol) = (T::Address::narrow(service_key.address), service_key.protocol);
    let port = entry.virtual_end().1;
    let key = persistence.key(client, protocol, address, port, tables);
    if let Some(hit) = conntable::find(&tables.conns(), tables.hashes(key.client), key)
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
