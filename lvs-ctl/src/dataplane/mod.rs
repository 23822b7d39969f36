//! What the director may ask of whatever forwards packets, in the model's words.

pub mod early;
pub mod kernel;
pub mod memory;

use std::{collections::BTreeSet, net::IpAddr, ops::ControlFlow};

use self::kernel::KernelError;
use crate::{
    model::{
        Change, Connection, Counters, DestAddr, Hook, Invalid, Load, MarkRule, Network,
        PlaneStatus, ServiceId, Table, Timeouts, Tunables, Way,
    },
    plan::PlanError,
};

/// The forwarding plane.
pub trait DataPlane: Send {
    /// Whether it can carry a change out at all, whatever the other rules are.
    ///
    /// # Errors
    /// [`Invalid::Unsupported`].
    fn supports(&self, _change: &Change) -> Result<(), Invalid> {
        Ok(())
    }

    /// Makes packets go as `table` says; `touched` names the services that differ from the last
    /// commit, those that are gone included. All or nothing, for every packet.
    ///
    /// A real server that comes back under the same service identity and address while it still
    /// has connections gets them back; [`crate::model::VirtualService::serial`] and
    /// [`crate::model::PoolEntry::serial`] tell that it was away.
    ///
    /// # Errors
    /// Nothing has changed then.
    fn commit(&mut self, table: &Table, touched: &[ServiceId]) -> Result<(), DataPlaneError>;

    /// Makes packets go as `table` says, and no other way that a former controller left.
    ///
    /// # Errors
    /// As [`Self::commit`].
    fn adopt(&mut self, table: &Table) -> Result<(), DataPlaneError> {
        let all: Vec<ServiceId> = table.services().map(|entry| entry.service.id).collect();
        self.commit(table, &all)
    }

    /// Sets the timeouts of connections, from their next packet on.
    ///
    /// # Errors
    /// Nothing has changed then.
    fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), DataPlaneError>;

    /// Sets the tunables, as packets find them from now on.
    ///
    /// # Errors
    /// Nothing has changed then.
    fn set_tunables(&mut self, tunables: &Tunables) -> Result<(), DataPlaneError>;

    /// Marks packets by these rules and no others, in whatever order they are: a packet sees the
    /// old ones or the new ones.
    ///
    /// # Errors
    /// Nothing has changed then.
    fn set_marks(&mut self, rules: &[MarkRule]) -> Result<(), DataPlaneError>;

    /// The connections that a real server holds.
    fn load(&self, service: &ServiceId, dest: &DestAddr) -> Load;

    /// The address that stands in for a real server of a service on the director's own host: what is sent
    /// there goes the service's way; none if the data plane has no such thing.
    fn stand_in(&self, _service: &ServiceId, _dest: &DestAddr) -> Option<IpAddr> {
        None
    }

    /// What passed since the real server exists, summed over CPUs. They never fall, except when a
    /// real server was away and comes back without connections: then they begin at 0.
    fn counters(&self, service: &ServiceId, dest: &DestAddr) -> Counters;

    /// Ends the connections of a real server: how many.
    ///
    /// # Errors
    /// Not all of them ended.
    fn reset(&mut self, service: &ServiceId, dest: &DestAddr) -> Result<u64, DataPlaneError>;

    /// The connections, to be looked at while the data plane goes on.
    fn connections(&self) -> Box<dyn Connections>;

    /// The addresses of real servers whose way matters, those included that are gone but have
    /// connections.
    fn addresses(&self) -> BTreeSet<IpAddr>;

    /// Another number whenever [`Self::addresses`] are others; `None` if nobody counts.
    fn addresses_edition(&self) -> Option<u64> {
        None
    }

    /// How many of them have no way said yet.
    fn unknown(&self) -> usize;

    /// Sends the packets for an address this way, from now on.
    ///
    /// # Errors
    /// The former way stands then.
    fn resolve(&mut self, address: IpAddr, way: &Way) -> Result<(), DataPlaneError>;

    /// Puts the program on an interface, in the place of a former one if there is one there. `why` is for
    /// the status.
    ///
    /// # Errors
    /// The interface does not take it; another program holds it, perhaps.
    fn attach(
        &mut self,
        _interface: &str,
        _hook: Hook,
        _why: String,
    ) -> Result<(), DataPlaneError> {
        Ok(())
    }

    /// An interface that carried the program is gone, or does not take it any more, and why.
    fn lose(&mut self, _interface: &str, _why: String) {}

    /// Knows these interfaces from now on.
    ///
    /// # Errors
    /// Some of the former ones may still be known.
    fn set_network(&mut self, _network: &Network) -> Result<(), DataPlaneError> {
        Ok(())
    }

    /// Lets go of what nothing needs any more: real servers that are gone, after their last
    /// connection. Called every few seconds.
    ///
    /// # Errors
    /// What could not be let go is tried again.
    fn tidy(&mut self) -> Result<(), DataPlaneError>;

    /// How it is.
    fn status(&self) -> PlaneStatus {
        PlaneStatus::default()
    }
}

/// The connections of a data plane. Whoever looks at them holds nobody up, packets least of all.
pub trait Connections: Send {
    /// Shows every connection and template, or those of one service, until `visit` breaks off.
    ///
    /// # Errors
    /// The table could not be read to its end.
    fn visit(
        &self,
        service: Option<&ServiceId>,
        visit: &mut dyn FnMut(Connection) -> ControlFlow<()>,
    ) -> Result<(), DataPlaneError>;
}

/// The data plane did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DataPlaneError {
    /// A table is full.
    #[error("no room for {needed} {what}, only for {capacity}")]
    NoRoom {
        /// What of.
        what: &'static str,
        /// How many there would be.
        needed: usize,
        /// How many fit.
        capacity: usize,
    },
    /// The rules cannot be carried out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}
