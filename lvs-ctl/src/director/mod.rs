//! The one owner of the rules and of the data plane that carries them out.

#![forbid(unsafe_code)]

mod alarm;
mod audit;
mod commit;
pub mod estimator;
mod handle;
mod host;
mod overview;
mod report;
mod request;
mod state;
mod statistics;
mod ways;

use std::{net::IpAddr, sync::Arc};

use tokio::sync::{broadcast, watch};

use self::{alarm::Alarm, commit::Setting, statistics::Statistics, ways::Ways};
pub use self::{
    audit::{TARGET as AUDIT, Who},
    handle::{Handle, spawn},
    host::ThisHost,
    report::{
        Changed, DestEntry, DirectorError, Done, Event, Listing, MarkListing, ServiceEntry,
        Settings, Status, TunableEntry, TunableListing,
    },
    request::{ChangeRequest, ConnectionQuery, Found, ListQuery, PageQuery},
    state::{StateDir, StateError},
    ways::Wanted,
};
use crate::{
    dataplane::DataPlane,
    model::{Hook, Host, Network, Snapshot, Table, VirtualService, Way, tunables::TUNABLES},
};

/// What a director is told when it starts.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The connection table's size as ipvsadm's first line shows it.
    pub size: u32,
}

/// The owner of the rules.
pub struct Director<D> {
    table: Table,
    revision: u64,
    plane: D,
    host: Box<dyn Host>,
    options: Options,
    statistics: Statistics,
    state: Option<StateDir>,
    events: broadcast::Sender<Arc<Event>>,
    ways: Ways,
    alarm: Alarm,
    done: Done,
}

impl Default for Options {
    /// The size of an untuned kernel.
    fn default() -> Self {
        Self { size: 4096 }
    }
}

impl<D: DataPlane> Director<D> {
    /// A director without rules that forgets them when it stops.
    pub fn new(plane: D, host: Box<dyn Host>, options: Options) -> Self {
        Self {
            table: Table::default(),
            revision: 0,
            plane,
            host,
            options,
            statistics: Statistics::default(),
            state: None,
            events: broadcast::Sender::new(256),
            ways: Ways::default(),
            alarm: Alarm::default(),
            done: Done::default(),
        }
    }

    /// Takes over the rules written down in `state`, and writes down every change from now on.
    ///
    /// The data plane is made to forward as they say; what it forwards already, it goes on
    /// forwarding.
    ///
    /// # Errors
    /// The rules cannot be read, or the data plane does not take them.
    pub fn keep_in(&mut self, mut state: StateDir) -> Result<(), DirectorError> {
        let (table, revision) = state.load()?.unwrap_or_default();
        self.adopt(table, revision)?;
        state.compact(&self.snapshot())?;
        self.state = Some(state);
        Ok(())
    }

    /// The rules as data.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.table.snapshot(self.revision)
    }

    /// Makes a list of changes on the controller's own behalf.
    ///
    /// # Errors
    /// As [`Self::change_for`].
    pub fn change(&mut self, request: &ChangeRequest) -> Result<Changed, DirectorError> {
        self.change_for(&Who::controller(), request)
    }

    /// Makes a list of changes on somebody's behalf, and writes an audit line for each.
    ///
    /// # Errors
    /// Nothing has changed then. Refused changes are no error unless all or nothing was asked for.
    pub fn change_for(
        &mut self,
        who: &Who,
        request: &ChangeRequest,
    ) -> Result<Changed, DirectorError> {
        if request.if_revision.is_some_and(|revision| revision != self.revision) {
            return Err(DirectorError::Stale { current: self.revision });
        }
        let mut table = self.table.clone();
        let draft = self.draft(&mut table, request)?;
        self.commit(table, &draft)?;
        self.ways.follow(&self.plane);
        for id in &draft.zeroed {
            self.statistics.zero(*id, &self.plane);
        }
        let applied = draft.made.len();
        self.done.applied += applied as u64;
        self.done.refused += draft.refused.len() as u64;
        draft.records.iter().for_each(|record| record.write(who, self.revision));
        if draft.rules && self.events.receiver_count() > 0 {
            let event = Event { revision: self.revision, changes: draft.made };
            // Nobody listens: nobody misses it.
            self.events.send(Arc::new(event)).ok();
        }
        Ok(Changed { revision: self.revision, applied, refused: draft.refused })
    }

    /// The services, or one.
    ///
    /// # Errors
    /// The one does not exist.
    pub fn listing(&self, query: &ListQuery) -> Result<Listing, DirectorError> {
        let mut services: Vec<&VirtualService> = match query.service {
            Some(id) => vec![self.table.get(&id).ok_or(DirectorError::NoService)?],
            None => self.table.services().collect(),
        };
        services.sort_by_key(|entry| entry.serial);
        let services = services.into_iter().map(|entry| self.service_entry(entry, query));
        Ok(Listing {
            revision: self.revision,
            size: self.options.size,
            services: services.collect(),
        })
    }

    /// The timeouts and daemons.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            revision: self.revision,
            timeouts: self.table.timeouts(),
            daemons: self.table.daemons().clone(),
        }
    }

    /// All tunables.
    #[must_use]
    pub fn tunables(&self) -> TunableListing {
        let set = self.table.tunables();
        let entries = TUNABLES.iter().map(|tunable| TunableEntry::new(tunable, set.value(tunable)));
        TunableListing { revision: self.revision, tunables: entries.collect() }
    }

    /// The rules that mark packets, the most specific first.
    #[must_use]
    pub fn marks(&self) -> MarkListing {
        let marks = self.table.marks();
        MarkListing {
            revision: self.revision,
            marks: marks.rules().to_vec(),
            declared: marks.declared().to_vec(),
        }
    }

    /// The connections that `query` wants.
    #[must_use]
    pub fn connections(&self, query: ConnectionQuery) -> Found {
        Found::new(self.plane.connections(), query)
    }

    /// One period of the rate estimators, and of what else is done now and then.
    pub fn tick(&mut self) {
        self.statistics.tick(&self.plane);
        if let Err(error) = self.plane.tidy() {
            tracing::warn!(%error, "cannot let go of what is not needed any more");
        }
        self.ways.follow(&self.plane);
        self.alarm.watch(&self.plane.status().tables);
    }

    /// Which addresses want a way, whenever it changes.
    #[must_use]
    pub fn ways(&self) -> watch::Receiver<Wanted> {
        self.ways.watch()
    }

    /// Sends packets for these addresses another way.
    pub fn resolve(&mut self, ways: Vec<(IpAddr, Way)>) {
        for (address, way) in ways {
            self.ways.set(address, way, &mut self.plane);
        }
        self.ways.follow(&self.plane);
    }

    /// Puts the program on an interface.
    ///
    /// # Errors
    /// The interface does not take it.
    pub fn attach(
        &mut self,
        interface: &str,
        hook: Hook,
        why: String,
    ) -> Result<(), DirectorError> {
        Ok(self.plane.attach(interface, hook, why)?)
    }

    /// An interface does not carry the program any more.
    pub fn lose(&mut self, interface: &str, why: String) {
        self.plane.lose(interface, why);
    }

    /// Knows these interfaces from now on.
    pub fn set_network(&mut self, network: &Network) {
        if let Err(error) = self.plane.set_network(network) {
            tracing::error!(%error, "cannot tell the program of the interfaces");
        }
    }

    fn adopt(&mut self, table: Table, revision: u64) -> Result<(), DirectorError> {
        Setting::ALL.iter().try_for_each(|setting| setting.carry_out(&table, &mut self.plane))?;
        self.plane.adopt(&table)?;
        self.ways.follow(&self.plane);
        self.statistics.adopt(&table, &self.plane);
        self.table = table;
        self.revision = revision;
        Ok(())
    }

    fn service_entry(&self, entry: &VirtualService, query: &ListQuery) -> ServiceEntry {
        let id = entry.service.id;
        let (statistics, plane) = (&self.statistics, &self.plane);
        let dests = entry.pool.iter().map(|real| {
            let addr = real.dest.addr;
            DestEntry {
                dest: real.dest,
                load: plane.load(&id, &addr),
                stand_in: plane.stand_in(&id, &addr),
                stats: query.stats.then(|| statistics.dest(&id, &addr, plane)),
                rates: query.rates.then(|| statistics.dest_rates(&id, &addr)),
            }
        });
        ServiceEntry {
            service: entry.service.clone(),
            origin: entry.origin,
            stats: query.stats.then(|| statistics.service(&id, plane)),
            rates: query.rates.then(|| statistics.service_rates(&id)),
            dests: dests.collect(),
        }
    }

    fn watch(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }
}

#[cfg(test)]
#[path = "director_tests.rs"]
mod tests;
