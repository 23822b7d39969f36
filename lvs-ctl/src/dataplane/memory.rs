//! A data plane that forwards nothing: plain collections, with knobs for tests.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Connections, DataPlane, DataPlaneError};
use crate::{
    model::{
        Connection, Counters, DestAddr, Load, MarkRule, PlaneStatus, ServiceId, Table, Timeouts,
        Tunables, Way,
    },
    plan::PlanError,
};

/// A real server within a service.
type Key = (ServiceId, DestAddr);

/// The data plane; clones share everything, so that a test can turn knobs while a director owns one.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<State>>);

/// All there is, open to tests.
#[derive(Debug, Default)]
pub struct State {
    /// The table last committed.
    pub table: Table,
    /// The timeouts last set.
    pub timeouts: Timeouts,
    /// The tunables last set.
    pub tunables: Tunables,
    /// The rules that mark packets, last set.
    pub marks: Vec<MarkRule>,
    /// What [`DataPlane::load`] answers.
    pub loads: HashMap<Key, Load>,
    /// What [`DataPlane::counters`] answers.
    pub counters: HashMap<Key, Counters>,
    /// What [`DataPlane::connections`] shows.
    pub connections: Vec<Connection>,
    /// What was said by [`DataPlane::resolve`].
    pub ways: BTreeMap<IpAddr, Way>,
    /// What [`DataPlane::status`] answers.
    pub status: PlaneStatus,
    /// The services named by each commit so far.
    pub commits: Vec<Vec<ServiceId>>,
    /// The real servers whose connections were ended.
    pub resets: Vec<Key>,
    /// The most real servers that fit; a commit with more is refused.
    pub capacity: Option<u32>,
}

impl Memory {
    /// The knobs.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DataPlane for Memory {
    fn commit(&mut self, table: &Table, touched: &[ServiceId]) -> Result<(), DataPlaneError> {
        let mut state = self.state();
        if let Some(capacity) = state.capacity {
            let needed: usize = table.services().map(|service| service.pool.len()).sum();
            if needed > capacity as usize {
                return Err(PlanError::NoRoom { what: "real server", capacity }.into());
            }
        }
        state.table = table.clone();
        state.commits.push(touched.to_vec());
        Ok(())
    }

    fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), DataPlaneError> {
        self.state().timeouts = timeouts;
        Ok(())
    }

    fn set_tunables(&mut self, tunables: &Tunables) -> Result<(), DataPlaneError> {
        self.state().tunables = tunables.clone();
        Ok(())
    }

    fn set_marks(&mut self, rules: &[MarkRule]) -> Result<(), DataPlaneError> {
        self.state().marks = rules.to_vec();
        Ok(())
    }

    fn load(&self, service: &ServiceId, dest: &DestAddr) -> Load {
        self.state().loads.get(&(*service, *dest)).copied().unwrap_or_default()
    }

    fn counters(&self, service: &ServiceId, dest: &DestAddr) -> Counters {
        self.state().counters.get(&(*service, *dest)).copied().unwrap_or_default()
    }

    fn reset(&mut self, service: &ServiceId, dest: &DestAddr) -> Result<u64, DataPlaneError> {
        self.state().resets.push((*service, *dest));
        Ok(u64::from(self.load(service, dest).active))
    }

    fn connections(&self) -> Box<dyn Connections> {
        Box::new(self.clone())
    }

    fn addresses(&self) -> BTreeSet<IpAddr> {
        let state = self.state();
        let pools = state.table.services().map(|service| &service.pool);
        let dests = pools.flat_map(|pool| pool.iter().map(|real| &real.dest).chain(pool.aside()));
        dests.map(|dest| dest.addr.address).collect()
    }

    fn unknown(&self) -> usize {
        let addresses = self.addresses();
        let state = self.state();
        addresses.iter().filter(|address| !state.ways.contains_key(address)).count()
    }

    fn resolve(&mut self, address: IpAddr, way: &Way) -> Result<(), DataPlaneError> {
        self.state().ways.insert(address, way.clone());
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), DataPlaneError> {
        let addresses = self.addresses();
        self.state().ways.retain(|address, _| addresses.contains(address));
        Ok(())
    }

    fn status(&self) -> PlaneStatus {
        self.state().status.clone()
    }
}

impl Connections for Memory {
    fn visit(
        &self,
        service: Option<&ServiceId>,
        visit: &mut dyn FnMut(Connection) -> ControlFlow<()>,
    ) -> Result<(), DataPlaneError> {
        let nth = |index: usize| self.state().connections.get(index).cloned();
        for connection in (0..).map_while(nth) {
            let id = connection.protocol.map(|protocol| ServiceId::Address {
                protocol,
                address: connection.vip.address,
                port: connection.vip.port,
            });
            let is_wanted = service.is_none() || service == id.as_ref();
            if is_wanted && visit(connection).is_break() {
                break;
            }
        }
        Ok(())
    }
}
