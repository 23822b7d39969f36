//! The program's connection table, mapped: the sweeper and the listing.

use std::{
    io,
    ops::ControlFlow,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aya::maps::{HashMap, MapData};
use lvs_common::{
    conntable::{
        Bucket as _, Entry, Hit, WAYS, remove,
        shared::{BUCKET, Row, View},
        word,
    },
    map::{Dest, Load, MAX_DESTS, Service, ServiceKey},
    net::Be32,
    tcp_state::State,
    template::{LATER_S, Persistence},
};

use super::{mapped::Mapped, templates::Due, time::Time};

/// The table, the loads that follow it, the real servers' thresholds and what their services say of
/// templates. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct ConnTable {
    conns: Arc<Mapped>,
    loads: Arc<Mapped>,
    dests: Arc<Mapped>,
    services: Arc<HashMap<MapData, ServiceKey, Service>>,
}

/// A connection as it stands in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Its words.
    pub(super) entry: Entry,
    /// The real server's address and port.
    pub(super) peer: u64,
    /// The real server's address, by its slot.
    pub(super) dest: Be32,
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Connections that stay.
    pub live: u64,
    /// Connections that were over and are gone.
    pub expired: u64,
}

impl ConnTable {
    /// Over the three maps.
    pub(super) fn new(
        conns: &impl AsFd,
        buckets: u32,
        loads: Mapped,
        dests: Arc<Mapped>,
        services: HashMap<MapData, ServiceKey, Service>,
    ) -> io::Result<Self> {
        let conns = Arc::new(Mapped::new(conns, buckets as usize * BUCKET)?);
        Ok(Self { conns, loads: Arc::new(loads), dests, services: Arc::new(services) })
    }

    /// Ends what is over by now, and settles the accounts. With `expire_nodest_conn` that is also what
    /// belongs to real servers that are gone (`ip_vs_expire_nodest_conn_flush`).
    pub(super) fn sweep(&self, time: &Time) -> Swept {
        let (now, orphans_end) = (time.now(), time.ends_orphans());
        let mut swept = Swept::default();
        let mut due = Due::default();
        for row in View::new(self.conns.words()).rows() {
            for way in 0..WAYS {
                // The line of first words alone tells an empty bucket.
                if row.load(word::at(way, 0)) & word::PHASE != word::LIVE {
                    continue;
                }
                let Some(entry) = Entry::read(row, way) else { continue };
                let hit = Hit { bucket: row, way, entry };
                let is_over =
                    entry.is_expired(now) || (orphans_end && !self.is_available(entry.dest()));
                if !is_over {
                    swept.live += 1;
                } else if entry.protocol() == word::TEMPLATE {
                    due.add(hit, self.persistence(entry.dest()));
                } else {
                    swept.expired += self.end(&hit);
                }
            }
        }
        // What holds templates are connections that are live after this sweep.
        if due.is_some() {
            due.look_for_holders(View::new(self.conns.words()));
            let later = LATER_S * time.ticks_per_second();
            for hit in due.prolong(later, now.wrapping_add(later)) {
                swept.expired += self.end(&hit);
            }
        }
        swept
    }

    /// What a real server's service says of templates.
    fn persistence(&self, slot: u32) -> Option<Persistence> {
        let dest: Dest = self.dests.read(slot as usize);
        Persistence::of(&self.services.get(&dest.service, 0).ok()?)
    }

    /// Ends a connection or template: how many it was.
    fn end(&self, hit: &Hit<Row<'_>>) -> u64 {
        let ended = remove(hit);
        if ended {
            self.ended(&hit.entry);
        }
        ended.into()
    }

    /// Shows every connection until `visit` breaks off.
    pub(super) fn visit(&self, visit: &mut dyn FnMut(Standing) -> ControlFlow<()>) {
        for row in View::new(self.conns.words()).rows() {
            for way in 0..WAYS {
                if let Some(standing) = self.standing(row, way)
                    && visit(standing).is_break()
                {
                    return;
                }
            }
        }
    }

    fn standing(&self, row: Row<'_>, way: usize) -> Option<Standing> {
        let entry = Entry::read(row, way)?;
        let peer = Hit { bucket: row, way, entry }.peer()?;
        let dest: Dest = self.dests.read(entry.dest() as usize);
        Some(Standing { entry, peer, dest: dest.address.low() })
    }

    /// The connections that a real server has.
    pub(super) fn load(&self, dest: u32) -> Load {
        self.loads.read(dest as usize)
    }

    /// A real server's slot begins anew.
    pub(super) fn forget_load(&self, dest: u32) {
        self.loads.write(dest as usize, &Load::default());
    }

    /// The thresholds of a real server were edited (`ip_vs_dest_update_overload`).
    pub(super) fn weigh(&self, slot: u32) {
        let dest: Dest = self.dests.read(slot as usize);
        let load = self.words(slot);
        let before = load[Load::OVERLOADED].load(Ordering::Relaxed);
        let total = load[Load::TOTAL].load(Ordering::Relaxed);
        let after = dest.thresholds().overloaded(narrow(total), narrow(before));
        load[Load::OVERLOADED].store(u64::from(after), Ordering::Relaxed);
    }

    /// Whether a real server is in its service's list.
    fn is_available(&self, slot: u32) -> bool {
        let dest: Dest = self.dests.read(slot as usize);
        dest.is_available()
    }

    /// As the program does when it ends a connection (`ip_vs_unbind_dest`).
    fn ended(&self, entry: &Entry) {
        let load = self.words(entry.dest());
        if entry.protocol() == word::TEMPLATE {
            load[Load::PERSISTENT].fetch_sub(1, Ordering::Relaxed);
            return;
        }
        load[Load::TOTAL].fetch_sub(1, Ordering::Relaxed);
        if State::is_active(entry.state()) {
            load[Load::ACTIVE].fetch_sub(1, Ordering::Relaxed);
        }
        self.weigh(entry.dest());
    }

    fn words(&self, dest: u32) -> &[AtomicU64] {
        let first = (dest as usize & (MAX_DESTS - 1)) * Load::WORDS;
        &self.loads.words()[first..first + Load::WORDS]
    }
}

fn narrow(word: u64) -> u32 {
    u32::try_from(word).unwrap_or(u32::MAX)
}
