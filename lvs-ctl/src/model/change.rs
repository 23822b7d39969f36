//! The one vocabulary of changes: every command of every dialect becomes a list of these.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Dest, DestAddr, MarkRule, Service, ServiceId, SyncRequest, SyncRole, Timeouts, TunableValue,
    health::{Admin, DestHealth, ServiceHealth},
};

/// One change of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    /// Adds a virtual service without real servers.
    AddService(Service),
    /// Replaces everything but the identity and the real servers of a virtual service.
    EditService(Service),
    /// Deletes a virtual service and its real servers.
    DeleteService(ServiceId),
    /// Deletes every virtual service.
    Flush,
    /// Notes that the configuration file declares a virtual service; see [`super::Origin`].
    Declare(ServiceId),
    /// Adds a real server at the head of its service's list.
    AddDest {
        /// The virtual service.
        service: ServiceId,
        /// The real server.
        dest: Dest,
    },
    /// Replaces everything but the identity of a real server; its place in the list stays.
    EditDest {
        /// The virtual service.
        service: ServiceId,
        /// The real server.
        dest: Dest,
    },
    /// Deletes a real server.
    DeleteDest {
        /// The virtual service.
        service: ServiceId,
        /// The real server.
        dest: DestAddr,
    },
    /// Replaces the checks of a virtual service, and what follows from them.
    SetHealth {
        /// The virtual service.
        service: ServiceId,
        /// Its checks.
        health: ServiceHealth,
    },
    /// Replaces what is said of the checks of one real server.
    SetDestHealth {
        /// The virtual service.
        service: ServiceId,
        /// The real server.
        dest: DestAddr,
        /// Its checks.
        health: DestHealth,
    },
    /// Decides over the health of a real server.
    SetAdmin {
        /// The virtual service.
        service: ServiceId,
        /// The real server.
        dest: DestAddr,
        /// What is decided.
        admin: Admin,
    },
    /// Zeroes the counters of one virtual service and its real servers, or of all.
    Zero(Option<ServiceId>),
    /// Sets connection timeouts; 0 keeps one as it is.
    SetTimeouts(Timeouts),
    /// Configures a synchronisation daemon.
    StartDaemon(SyncRequest),
    /// Removes a synchronisation daemon.
    StopDaemon(SyncRole),
    /// Sets one of IPVS's tunables.
    SetTunable {
        /// Its name below `net/ipv4/vs`.
        name: String,
        /// What to.
        value: TunableValue,
    },
    /// Adds a rule that marks packets.
    AddMark(MarkRule),
    /// Deletes the rule that is just this.
    DeleteMark(MarkRule),
    /// Notes that the configuration file declares a rule that marks packets.
    DeclareMark(MarkRule),
}
