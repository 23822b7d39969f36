//! The program's connection tables: the sweeper and the listing.

use std::{
    net::IpAddr,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aya::maps::{HashMap, MapData};
use lvs_common::{
    conntable::{Bucket as _, Entry, Hit, WAYS, remove, shared::Row, word},
    map::{Dest, Load, MAX_DESTS, Service, ServiceKey},
    tcp_state::State,
    template::{LATER_S, Persistence},
};

use super::{family::FamilyTable, mapped::Mapped, signs::Tally, templates::Due, time::Time};
use crate::model::Signs;

/// Both families' tables, the loads that follow them, the real servers' thresholds and what their services say of
/// templates. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct ConnTable {
    families: [FamilyTable; 2],
    loads: Arc<Mapped>,
    dests: Arc<Mapped>,
    services: Arc<HashMap<MapData, ServiceKey, Service>>,
}

/// A connection as it stands in the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// Its words.
    pub(super) entry: Entry,
    /// The client's address.
    pub(super) client: IpAddr,
    /// The address that it calls, or a mark's template's mark.
    pub(super) virtual_address: IpAddr,
    /// The real server's address.
    pub(super) dest: IpAddr,
    /// Its port is here.
    pub(super) peer: u64,
    /// The real server's service.
    pub(super) service: ServiceKey,
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Connections that stay.
    pub live: u64,
    /// Connections that were over and are gone.
    pub expired: u64,
    /// Connections that stay, by the number of their state; templates have none.
    pub states: [u64; 16],
}

impl Swept {
    /// Whether there are templates among what stays.
    #[must_use]
    pub fn has_templates(&self) -> bool {
        self.live > self.states.iter().sum()
    }
}

impl ConnTable {
    /// Over the tables and three more maps.
    pub(super) fn new(
        families: [FamilyTable; 2],
        loads: Mapped,
        dests: Arc<Mapped>,
        services: HashMap<MapData, ServiceKey, Service>,
    ) -> Self {
        Self { families, loads: Arc::new(loads), dests, services: Arc::new(services) }
    }

    /// Ends what is over by now, and settles the accounts. With `expire_nodest_conn` that is also what
    /// belongs to real servers that are gone (`ip_vs_expire_nodest_conn_flush`). What stays is tallied.
    pub(super) fn sweep(&self, time: &Time, mut tally: Option<&mut Tally>) -> Swept {
        let mut swept = Swept::default();
        for family in &self.families {
            self.sweep_family(family, time, &mut swept, tally.as_deref_mut());
        }
        swept
    }

    fn sweep_family(
        &self,
        family: &FamilyTable,
        time: &Time,
        swept: &mut Swept,
        mut tally: Option<&mut Tally>,
    ) {
        let (now, orphans_end) = (time.now(), time.ends_orphans());
        let mut due = Due::default();
        for row in family.view().rows() {
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
                    // Templates have no state.
                    if entry.protocol() != word::TEMPLATE {
                        swept.states[usize::from(entry.state().number() & 15)] += 1;
                        if let Some(tally) = &mut tally {
                            tally.note(&entry);
                        }
                    }
                } else if entry.protocol() == word::TEMPLATE {
                    due.add(hit, self.persistence(entry.dest()));
                } else {
                    swept.expired += self.end(&hit);
                }
            }
        }
        // What holds templates are connections that are live after this sweep.
        if due.is_some() {
            due.look_for_holders(family);
            let later = LATER_S * time.ticks_per_second();
            for hit in due.prolong(later, now.wrapping_add(later)) {
                swept.expired += self.end(&hit);
            }
        }
    }

    /// What a sweep has seen of real servers that may have gone.
    pub(super) fn signs(&self, tally: &Tally) -> Signs {
        tally.signs(|slot| self.dests.read(slot as usize))
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

    /// Ends the connections and templates of the real server in this slot: how many.
    pub(super) fn reset(&self, slot: u32) -> u64 {
        let of = |family: &FamilyTable| -> u64 {
            let hits = family.view().hits().filter(|hit| hit.entry.dest() == slot);
            hits.map(|hit| self.end(&hit)).sum()
        };
        self.families.iter().map(of).sum()
    }

    /// Shows every connection until `visit` breaks off.
    pub(super) fn visit(&self, visit: &mut dyn FnMut(Standing) -> ControlFlow<()>) {
        for family in &self.families {
            for hit in family.view().hits() {
                if let Some(standing) = self.standing(family, &hit)
                    && visit(standing).is_break()
                {
                    return;
                }
            }
        }
    }

    fn standing(&self, family: &FamilyTable, hit: &Hit<Row<'_>>) -> Option<Standing> {
        let peer = hit.peer()?;
        let (client, virtual_address) = family.ends(hit)?;
        let dest: Dest = self.dests.read(hit.entry.dest() as usize);
        Some(Standing {
            entry: hit.entry,
            client,
            virtual_address,
            dest: dest.address.ip(),
            peer,
            service: dest.service,
        })
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
