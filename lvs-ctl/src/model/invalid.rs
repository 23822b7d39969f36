//! What IPVS refuses, in its own words.

use super::{TunableRange, health::WrongCheck};

/// A change that the table does not take. The text is ipvsadm's (`ipvs_strerror`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// `EEXIST` on adding a service.
    #[error("Service already exists")]
    ServiceExists,
    /// `ESRCH` on a service.
    #[error("No such service")]
    NoService,
    /// `ESRCH` on a real server's service.
    #[error("Service not defined")]
    ServiceNotDefined,
    /// `ENOENT` on a service.
    #[error("Scheduler or persistence engine not found")]
    SchedulerNotFound,
    /// `EEXIST` on adding a real server.
    #[error("Destination already exists")]
    DestExists,
    /// `ENOENT` on a real server.
    #[error("No such destination")]
    NoDest,
    /// `ERANGE`: a weight or a pair of thresholds.
    #[error("Numerical result out of range")]
    OutOfRange,
    /// `EINVAL`.
    #[error("Invalid operation.  Possibly wrong module version, address not unicast, ...")]
    InvalidOperation(Why),
    /// `EEXIST` on starting a daemon.
    #[error("Daemon has already run")]
    DaemonRuns,
    /// `ESRCH` on stopping a daemon.
    #[error("No daemon is running")]
    NoDaemon,
    /// `ENODEV`: the daemon's interface.
    #[error("No such device")]
    NoDevice,
    /// `ENETUNREACH`: the daemon's multicast group.
    #[error("Network is unreachable")]
    Unreachable,
    /// There is no tunable of this name.
    #[error("there is no tunable {0}")]
    NoTunable(String),
    /// `EINVAL` on writing a tunable: its name, and what it takes.
    #[error("{0} takes {1}")]
    TunableRange(&'static str, TunableRange),
    /// The rule that marks packets is there.
    #[error("mark rule exists")]
    MarkExists,
    /// There is no such rule that marks packets.
    #[error("no such mark rule")]
    NoMark,
    /// Another rule would mark some of the packets otherwise, and neither is more specific.
    #[error("another rule is as specific and gives another mark: {0}")]
    MarkConflict(String),
    /// A check, or what follows from checks, makes no sense.
    #[error(transparent)]
    Health(#[from] WrongCheck),
    /// A check that runs a program, from somebody who may not have the director run one.
    #[error("checks that run a program are for the configuration file")]
    MayNotExec,
    /// The rule is IPVS's, but the data plane does not carry it out.
    #[error("{words}: {why}")]
    Unsupported {
        /// What a kernel without it would say.
        words: &'static str,
        /// What is missing.
        why: String,
    },
}

/// What stands behind `EINVAL`, for those who can be told more than ipvsadm says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// A multicast, broadcast, unspecified, mapped or foreign link-local real server.
    #[error("the real server's address is not unicast")]
    NotUnicast,
    /// A real server of the other family that is not reached by a tunnel.
    #[error("a real server of another address family needs tunneling")]
    MixedFamily,
    /// Synchronisation messages cannot carry mixed families.
    #[error(
        "synchronisation daemons and real servers of another address family exclude each other"
    )]
    MixedFamilySync,
    /// A UDP tunnel without port, or a checksum that GRE does not have.
    #[error("the tunnel's port or checksum does not fit its type")]
    Tunnel,
    /// The persistence mask is of the other family.
    #[error("the persistence netmask does not fit the service's address family")]
    Netmask,
    /// An upper threshold above 2^31-1.
    #[error("the upper threshold is too large")]
    Threshold,
    /// A firewall mark of 0.
    #[error("a firewall mark is greater than zero")]
    Mark,
}

impl Invalid {
    /// What the data plane cannot carry out, in the words of a kernel without it.
    #[must_use]
    pub fn unsupported(words: &'static str, why: impl Into<String>) -> Self {
        Self::Unsupported { words, why: why.into() }
    }

    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ServiceExists => "service-exists",
            Self::NoService => "no-service",
            Self::ServiceNotDefined => "service-not-defined",
            Self::SchedulerNotFound => "scheduler-not-found",
            Self::DestExists => "dest-exists",
            Self::NoDest => "no-dest",
            Self::OutOfRange => "out-of-range",
            Self::InvalidOperation(_) => "invalid-operation",
            Self::DaemonRuns => "daemon-runs",
            Self::NoDaemon => "no-daemon",
            Self::NoDevice => "no-device",
            Self::Unreachable => "unreachable",
            Self::NoTunable(_) => "no-tunable",
            Self::TunableRange(..) => "tunable-range",
            Self::MarkExists => "mark-exists",
            Self::NoMark => "no-mark",
            Self::MarkConflict(_) => "mark-conflict",
            Self::Health(_) => "health",
            Self::MayNotExec => "may-not-exec",
            Self::Unsupported { .. } => "unsupported",
        }
    }

    /// More than ipvsadm says, where there is more.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::InvalidOperation(why) => Some(why.to_string()),
            _ => None,
        }
    }
}
