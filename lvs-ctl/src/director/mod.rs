//! The one owner of the rules and of the data plane that carries them out.

#![forbid(unsafe_code)]

pub mod estimator;
mod handle;
mod host;
mod report;
mod request;
mod state;
mod statistics;
mod ways;

use std::{collections::BTreeSet, net::IpAddr, ops::ControlFlow, sync::Arc};

use tokio::sync::{broadcast, watch};

pub use self::{
    handle::{Handle, spawn},
    host::ThisHost,
    report::{Changed, DestEntry, DirectorError, Event, Listing, ServiceEntry, Settings, Status},
    request::{ChangeRequest, ConnectionQuery, ListQuery},
    state::{StateDir, StateError},
    ways::Wanted,
};
use self::{statistics::Statistics, ways::Ways};
use crate::{
    dataplane::DataPlane,
    model::{
        Change, Connection, Effect, Host, PlaneStatus, ServiceId, Snapshot, Table, VirtualService,
        Way,
    },
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
}

/// A request worked through on a copy of the table.
#[derive(Default)]
struct Draft {
    made: Vec<Change>,
    refused: Vec<(usize, crate::model::Invalid)>,
    touched: BTreeSet<ServiceId>,
    zeroed: Vec<Option<ServiceId>>,
    timeouts: bool,
    /// Whether anything but counters changed.
    rules: bool,
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

    /// Makes a list of changes.
    ///
    /// # Errors
    /// Nothing has changed then. Refused changes are no error unless all or nothing was asked for.
    pub fn change(&mut self, request: &ChangeRequest) -> Result<Changed, DirectorError> {
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
        tracing::info!(revision = self.revision, applied, refused = draft.refused.len(), "change");
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

    /// The connections that `query` wants.
    ///
    /// # Errors
    /// The data plane's table could not be read to its end.
    pub fn connections(&self, query: &ConnectionQuery) -> Result<Vec<Connection>, DirectorError> {
        let mut found = Vec::new();
        let limit = query.limit.unwrap_or(usize::MAX);
        self.plane.connections(&mut |connection| {
            if found.len() >= limit {
                return ControlFlow::Break(());
            }
            if query.wants(&connection) {
                found.push(connection);
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// How the director is.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            revision: self.revision,
            services: self.table.services().len(),
            dests: self.table.services().map(|service| service.pool.len()).sum(),
            plane: PlaneStatus { next_hops: self.ways.status(), ..self.plane.status() },
        }
    }

    /// One period of the rate estimators, and of what else is done now and then.
    pub fn tick(&mut self) {
        self.statistics.tick(&self.plane);
        if let Err(error) = self.plane.tidy() {
            tracing::warn!(%error, "cannot let go of what is not needed any more");
        }
        self.ways.follow(&self.plane);
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

    fn adopt(&mut self, table: Table, revision: u64) -> Result<(), DirectorError> {
        self.plane.set_timeouts(table.timeouts())?;
        self.plane.adopt(&table)?;
        self.ways.follow(&self.plane);
        self.statistics.adopt(&table, &self.plane);
        self.table = table;
        self.revision = revision;
        Ok(())
    }

    fn draft(&self, table: &mut Table, request: &ChangeRequest) -> Result<Draft, DirectorError> {
        let mut draft = Draft::default();
        for (index, change) in request.changes.iter().enumerate() {
            let supported = self.plane.supports(change);
            match supported.and_then(|()| table.apply(change, &*self.host)) {
                Ok(effect) => draft.note(change, effect),
                Err(invalid) if request.all_or_nothing => {
                    return Err(DirectorError::Refused { index, invalid });
                }
                Err(invalid) => draft.refused.push((index, invalid)),
            }
        }
        Ok(draft)
    }

    /// Makes `table` the table: data plane, state directory and memory, or none of them.
    fn commit(&mut self, table: Table, draft: &Draft) -> Result<(), DirectorError> {
        if !draft.rules {
            return Ok(());
        }
        let departing = self.statistics.departing(&table, &draft.touched, &self.plane);
        let touched: Vec<ServiceId> = draft.touched.iter().copied().collect();
        if draft.timeouts {
            self.plane.set_timeouts(table.timeouts())?;
        }
        let committed = match touched.as_slice() {
            [] => Ok(()),
            touched => self.plane.commit(&table, touched),
        };
        let written = committed.map_err(DirectorError::from).and_then(|()| self.write_down(draft));
        if let Err(error) = written {
            self.roll_back(&touched, draft.timeouts);
            return Err(error);
        }
        self.statistics.settle(&table, &draft.touched, departing, &self.plane);
        self.table = table;
        self.revision += 1;
        self.compact_if_long();
        Ok(())
    }

    fn write_down(&mut self, draft: &Draft) -> Result<(), DirectorError> {
        if let Some(state) = &mut self.state {
            state.append(self.revision + 1, &draft.made)?;
        }
        Ok(())
    }

    fn roll_back(&mut self, touched: &[ServiceId], timeouts: bool) {
        let mut result = Ok(());
        if timeouts {
            result = self.plane.set_timeouts(self.table.timeouts());
        }
        if !touched.is_empty() {
            result = result.and(self.plane.commit(&self.table, touched));
        }
        if let Err(error) = result {
            tracing::error!(%error, "the data plane took neither the new rules nor the old ones");
        }
    }

    fn compact_if_long(&mut self) {
        let Some(state) = self.state.as_mut().filter(|state| state.is_long()) else { return };
        if let Err(error) = state.compact(&self.table.snapshot(self.revision)) {
            tracing::warn!(%error, "the journal of changes goes on growing");
        }
    }

    fn service_entry(&self, entry: &VirtualService, query: &ListQuery) -> ServiceEntry {
        let id = entry.service.id;
        let (statistics, plane) = (&self.statistics, &self.plane);
        let dests = entry.pool.iter().map(|real| {
            let addr = real.dest.addr;
            DestEntry {
                dest: real.dest,
                load: plane.load(&id, &addr),
                stats: query.stats.then(|| statistics.dest(&id, &addr, plane)),
                rates: query.rates.then(|| statistics.dest_rates(&id, &addr)),
            }
        });
        ServiceEntry {
            service: entry.service.clone(),
            stats: query.stats.then(|| statistics.service(&id, plane)),
            rates: query.rates.then(|| statistics.service_rates(&id)),
            dests: dests.collect(),
        }
    }

    fn watch(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }
}

impl Draft {
    fn note(&mut self, change: &Change, effect: Effect) {
        self.rules |= !matches!(effect, Effect::Zeroed(_));
        match effect {
            Effect::Service(id) => {
                self.touched.insert(id);
            }
            Effect::Flushed(ids) => self.touched.extend(ids),
            Effect::Zeroed(id) => self.zeroed.push(id),
            Effect::Timeouts => self.timeouts = true,
            Effect::Daemons => (),
        }
        self.made.push(change.clone());
    }
}

#[cfg(test)]
#[path = "director_tests.rs"]
mod tests;
