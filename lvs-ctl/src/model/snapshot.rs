//! The table as data that survives the controller.

use serde::{Deserialize, Serialize};

use super::{
    Change, Daemons, Dest, DestAddr, Invalid, LoopbackOnly, MarkRule, Marks, Origin, Pool, Service,
    Table, Timeouts, Tunables,
    health::{Admin, DestHealth, ServiceHealth},
};

/// Raised when a snapshot of one version cannot be read as another.
const VERSION: u32 = 1;

/// A whole table, with what history it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The version of this shape.
    pub version: u32,
    /// How many requests had changed the table.
    pub revision: u64,
    /// The connection timeouts.
    pub timeouts: Timeouts,
    /// The synchronisation daemons.
    #[serde(default)]
    pub daemons: Daemons,
    /// The tunables that are not as by default.
    #[serde(default, skip_serializing_if = "Tunables::is_default")]
    pub tunables: Tunables,
    /// The rules that mark packets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<MarkRule>,
    /// Those of them that the configuration file declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared_marks: Vec<MarkRule>,
    /// The services, oldest first.
    pub services: Vec<SnapshotService>,
}

/// A virtual service in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotService {
    /// The service.
    pub service: Service,
    /// Where it comes from.
    #[serde(default)]
    pub origin: Origin,
    /// Its real servers, newest first.
    pub dests: Vec<SnapshotDest>,
    /// Its checks.
    #[serde(default, skip_serializing_if = "ServiceHealth::is_default")]
    pub health: ServiceHealth,
    /// What is said of the health of some real servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dest_rules: Vec<SnapshotRules>,
}

/// What is said of the health of one real server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotRules {
    /// The real server.
    pub addr: DestAddr,
    /// How it is checked.
    #[serde(default, skip_serializing_if = "DestHealth::is_default")]
    pub health: DestHealth,
    /// What the operator decided.
    #[serde(default)]
    pub admin: Admin,
}

/// A real server in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotDest {
    /// The real server.
    pub dest: Dest,
    /// Its most recent weight that was not 0.
    pub last_weight: u32,
}

/// A snapshot that is not a table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Another version of the program wrote it.
    #[error("version {found}, expected {VERSION}")]
    Version {
        /// What it says.
        found: u32,
    },
    /// Two services or two real servers are the same.
    #[error("{0} is there twice")]
    Twice(String),
    /// A tunable, or a rule that marks packets.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Table {
    /// The table as data.
    #[must_use]
    pub fn snapshot(&self, revision: u64) -> Snapshot {
        let mut services: Vec<_> = self.services().collect();
        services.sort_by_key(|entry| entry.serial);
        let services = services
            .into_iter()
            .map(|entry| SnapshotService {
                service: entry.service.clone(),
                origin: entry.origin,
                dests: entry
                    .pool
                    .iter()
                    .map(|real| SnapshotDest { dest: real.dest, last_weight: real.last_weight })
                    .collect(),
                health: ServiceHealth::clone(&entry.health),
                dest_rules: entry
                    .dest_rules
                    .iter()
                    .map(|(addr, rules)| SnapshotRules {
                        addr: *addr,
                        health: DestHealth::clone(&rules.health),
                        admin: rules.admin,
                    })
                    .collect(),
            })
            .collect();
        Snapshot {
            version: VERSION,
            revision,
            timeouts: self.timeouts(),
            daemons: self.daemons().clone(),
            tunables: self.tunables().clone(),
            marks: self.marks().rules().to_vec(),
            declared_marks: self.marks().declared().to_vec(),
            services,
        }
    }

    /// The table that `snapshot` is of.
    ///
    /// What the host says may have changed since (an interface, an address), so only the shape is
    /// checked: rules that were accepted once come back.
    ///
    /// # Errors
    /// The snapshot is of another version or contradicts itself.
    pub fn restore(snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        if snapshot.version != VERSION {
            return Err(SnapshotError::Version { found: snapshot.version });
        }
        let mut table = Self::default();
        table.restore_settings(snapshot.timeouts, snapshot.daemons.clone());
        table.restore_switches(tunables(&snapshot.tunables)?, marks(snapshot)?);
        for entry in &snapshot.services {
            let mut pool = Pool::default();
            for real in entry.dests.iter().rev() {
                if !pool.add_with_history(real.dest, real.last_weight) {
                    return Err(SnapshotError::Twice(real.dest.addr.to_string()));
                }
            }
            if table.get(&entry.service.id).is_some() {
                return Err(SnapshotError::Twice(entry.service.id.to_string()));
            }
            table.insert(entry.service.clone(), pool, entry.origin);
            health(entry)
                .iter()
                .try_for_each(|change| table.apply(change, &LoopbackOnly).map(drop))?;
        }
        Ok(table)
    }
}

/// The changes that give a service its health.
fn health(entry: &SnapshotService) -> Vec<Change> {
    let service = entry.service.id;
    let mut changes = Vec::new();
    if !entry.health.is_default() {
        changes.push(Change::SetHealth { service, health: entry.health.clone() });
    }
    for SnapshotRules { addr: dest, health, admin } in entry.dest_rules.iter().cloned() {
        changes.push(Change::SetDestHealth { service, dest, health });
        changes.push(Change::SetAdmin { service, dest, admin });
    }
    changes
}

/// Only those that there are, with values that they take.
fn tunables(saved: &Tunables) -> Result<Tunables, Invalid> {
    let mut tunables = Tunables::default();
    saved.changed().try_for_each(|(name, value)| tunables.set(name, value))?;
    Ok(tunables)
}

fn marks(saved: &Snapshot) -> Result<Marks, Invalid> {
    let mut marks = Marks::default();
    saved.marks.iter().try_for_each(|rule| marks.add(rule))?;
    saved.declared_marks.iter().try_for_each(|rule| marks.declare(rule))?;
    Ok(marks)
}
