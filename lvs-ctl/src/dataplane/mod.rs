//! What the director may ask of whatever forwards packets, in the model's words.

#![forbid(unsafe_code)]

pub mod memory;

use std::{io, ops::ControlFlow};

use crate::model::{Connection, Counters, DestAddr, Load, PlaneStatus, ServiceId, Table, Timeouts};

/// The forwarding plane.
pub trait DataPlane: Send {
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

    /// Sets the timeouts of connections, from their next packet on.
    ///
    /// # Errors
    /// Nothing has changed then.
    fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), DataPlaneError>;

    /// The connections that a real server holds.
    fn load(&self, service: &ServiceId, dest: &DestAddr) -> Load;

    /// What passed since the real server exists, summed over CPUs. They never fall, except when a
    /// real server was away and comes back without connections: then they begin at 0.
    fn counters(&self, service: &ServiceId, dest: &DestAddr) -> Counters;

    /// Shows every connection and template until `visit` breaks off.
    ///
    /// # Errors
    /// The table could not be read to its end.
    fn connections(
        &self,
        visit: &mut dyn FnMut(Connection) -> ControlFlow<()>,
    ) -> Result<(), DataPlaneError>;

    /// How it is.
    fn status(&self) -> PlaneStatus {
        PlaneStatus::default()
    }
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
    /// Something that the table may ask for is not built in.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// The kernel refused a call.
    #[error("{call} {object}: {source}")]
    Call {
        /// What was called.
        call: &'static str,
        /// On what.
        object: String,
        /// What the kernel said.
        source: io::Error,
    },
}
