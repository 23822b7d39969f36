//! One line in the log for each rule that changes: who, what, before, after.

mod health;

use std::{fmt, sync::Arc};

pub(super) use self::health::{HealthRecord, reset};

use crate::model::{
    Change, Daemons, Dest, DestAddr, MarkRule, Origin, Service, ServiceId, SyncDaemon, SyncRole,
    Table, Timeouts, Tunable,
    health::{CheckSpec, CheckType},
    text,
};

/// Where audit lines come from; a filter that is to keep them names this target.
pub const TARGET: &str = "lvs_ctl::audit";

/// How many real servers a line names: journald cuts lines at 48 KiB.
const LISTED: usize = 256;

/// On whose behalf rules change, as the audit line says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    description: Arc<str>,
    may_exec: bool,
}

/// A change that is about to be made.
pub(super) struct Draft {
    what: String,
    before: Facts,
}

/// A change that was made.
pub(super) struct Record {
    what: String,
    before: String,
    after: String,
}

/// What there is to say of a rule: names and values.
#[derive(Debug, Default, PartialEq, Eq)]
struct Facts(Vec<(&'static str, String)>);

impl Who {
    /// Somebody of this description.
    pub fn new(description: impl Into<Arc<str>>) -> Self {
        Self { description: description.into(), may_exec: false }
    }

    /// The controller itself.
    #[must_use]
    pub fn controller() -> Self {
        Self::new("controller").may_exec()
    }

    /// The same, who may have the director run programs: root does so anyway.
    #[must_use]
    pub fn may_exec(self) -> Self {
        Self { may_exec: true, ..self }
    }

    /// Whether the director would run a program on this one's behalf.
    pub(super) fn is_allowed(&self, change: &Change) -> bool {
        let checks: Vec<&CheckSpec> = match change {
            Change::SetHealth { health, .. } => {
                health.checks.iter().chain(&health.policy.sorry_checks).collect()
            }
            Change::SetDestHealth { health, .. } => health.checks.iter().flatten().collect(),
            _ => return true,
        };
        self.may_exec || checks.iter().all(|check| check.kind != CheckType::Exec)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.description.fmt(f)
    }
}

impl Draft {
    /// Before `change` is made in `table`.
    pub(super) fn new(change: &Change, table: &Table) -> Self {
        Self { what: what(change), before: Facts::of(change, table) }
    }

    /// After it.
    pub(super) fn made(self, change: &Change, table: &Table) -> Record {
        let Self { what, before } = self;
        let after = Facts::of(change, table);
        Record { what, before: before.beside(&after), after: after.beside(&before) }
    }
}

impl Record {
    /// Writes the line.
    pub(super) fn write(&self, who: &Who, revision: u64) {
        let Self { what, before, after } = self;
        tracing::info!(target: TARGET, who = &*who.description, what, before, after, revision, "audit");
    }
}

impl Facts {
    /// What `table` holds where `change` changes it.
    fn of(change: &Change, table: &Table) -> Self {
        match change {
            Change::AddService(service) | Change::EditService(service) => {
                Self::of_service(table, &service.id)
            }
            Change::DeleteService(id) => Self::of_service(table, id).with_pool(table, id),
            Change::Declare(id) => {
                Self::of_origin(table.get(id).is_some_and(|entry| entry.origin == Origin::File))
            }
            Change::DeclareMark(rule) => Self::of_origin(table.marks().declared().contains(rule)),
            Change::Flush => Self::of_all(table),
            Change::AddDest { service, dest } | Change::EditDest { service, dest } => {
                Self::of_dest(table, service, &dest.addr)
            }
            Change::DeleteDest { service, dest } => Self::of_dest(table, service, dest),
            Change::SetHealth { service, .. } => Self::of_health(table, service),
            Change::SetDestHealth { service, dest, .. } => {
                Self::of_dest_health(table, service, dest)
            }
            Change::SetAdmin { service, dest, .. } => {
                let admin = table.get(service).map(|entry| entry.admin(dest).word());
                Self(admin.map(|word| ("admin", word.to_owned())).into_iter().collect())
            }
            Change::Zero(_) => Self::default(),
            Change::SetTimeouts(_) => Self::of_timeouts(table.timeouts()),
            Change::StartDaemon(request) => Self::of_daemon(table.daemons(), request.role),
            Change::StopDaemon(role) => Self::of_daemon(table.daemons(), *role),
            Change::SetTunable { name, .. } => {
                let value = Tunable::named(name).map(|tunable| table.tunables().value(tunable));
                Self(value.map(|value| ("value", value.to_string())).into_iter().collect())
            }
            Change::AddMark(rule) | Change::DeleteMark(rule) => Self::of_mark(table, rule),
        }
    }

    fn of_service(table: &Table, id: &ServiceId) -> Self {
        let Some(entry) = table.get(id) else { return Self::default() };
        let Service { id: _, scheduler, scheduler_flags, persistence, engine, one_packet } =
            &entry.service;
        let mut facts = Self(vec![("scheduler", scheduler.clone())]);
        if !scheduler_flags.is_empty() {
            facts.add("flags", text::scheduler_flags(scheduler, *scheduler_flags));
        }
        if let Some(persistence) = persistence {
            facts.add("persistent", format!("{} s", persistence.timeout_s));
            facts.add("netmask", persistence.netmask);
        }
        if let Some(engine) = engine {
            facts.add("engine", engine);
        }
        if *one_packet {
            facts.add("one-packet", "yes");
        }
        facts
    }

    fn with_pool(mut self, table: &Table, id: &ServiceId) -> Self {
        let Some(pool) = table.get(id).map(|entry| &entry.pool) else { return self };
        let dests = pool.iter().take(LISTED).map(|real| real.dest.addr.to_string());
        let more = pool.len().checked_sub(LISTED + 1).map(|more| format!("and {} more", more + 1));
        let listed = dests.chain(more).collect::<Vec<_>>().join(" ");
        if !pool.is_empty() {
            self.add("real servers", listed);
        }
        self
    }

    fn of_all(table: &Table) -> Self {
        let dests: usize = table.services().map(|entry| entry.pool.len()).sum();
        Self(vec![
            ("services", table.services().len().to_string()),
            ("real servers", dests.to_string()),
        ])
    }

    fn of_dest(table: &Table, id: &ServiceId, addr: &DestAddr) -> Self {
        let Some(real) = table.get(id).and_then(|entry| entry.pool.get(addr)) else {
            return Self::default();
        };
        let Dest { addr: _, method, weight, upper_threshold, lower_threshold } = real.dest;
        let mut facts = Self(vec![("method", method.to_string()), ("weight", weight.to_string())]);
        if upper_threshold != 0 || lower_threshold != 0 {
            facts.add("upper threshold", upper_threshold);
            facts.add("lower threshold", lower_threshold);
        }
        facts
    }

    fn of_timeouts(Timeouts { tcp_s, tcp_fin_s, udp_s }: Timeouts) -> Self {
        let seconds = |seconds: u32| format!("{seconds} s");
        Self(vec![
            ("tcp", seconds(tcp_s)),
            ("tcp after FIN", seconds(tcp_fin_s)),
            ("udp", seconds(udp_s)),
        ])
    }

    fn of_daemon(daemons: &Daemons, role: SyncRole) -> Self {
        let daemon = match role {
            SyncRole::Master => &daemons.master,
            SyncRole::Backup => &daemons.backup,
        };
        let Some(daemon) = daemon else { return Self::default() };
        let SyncDaemon { interface, sync_id, max_length, group, port, ttl } = daemon;
        let mut facts = Self(vec![("interface", interface.clone())]);
        facts.add("sync id", sync_id);
        facts.add("longest", max_length);
        facts.add("group", group);
        facts.add("port", port);
        facts.add("ttl", ttl);
        facts
    }

    fn of_origin(is_file: bool) -> Self {
        Self(vec![("origin", if is_file { "file" } else { "command" }.to_owned())])
    }

    fn of_mark(table: &Table, rule: &MarkRule) -> Self {
        let is_there = table.marks().rules().contains(rule);
        Self(is_there.then(|| ("mark", rule.mark.to_string())).into_iter().collect())
    }

    fn add(&mut self, name: &'static str, value: impl fmt::Display) {
        self.0.push((name, value.to_string()));
    }

    /// In words: where it differs from `other`, which is all of it beside nothing.
    fn beside(&self, other: &Self) -> String {
        if self.0.is_empty() {
            return "none".to_owned();
        }
        let others = other.0.iter().map(|(name, _)| *name).filter(|name| self.get(name).is_none());
        let names = self.0.iter().map(|(name, _)| *name);
        // What one side has and the other has not is told on both, unless one side has nothing.
        let names = names.chain(others.filter(|_| !other.0.is_empty()));
        let differing = names.filter(|name| self.get(name) != other.get(name));
        let words = differing.map(|name| format!("{name} {}", self.get(name).unwrap_or("none")));
        let words = words.collect::<Vec<_>>().join(", ");
        if words.is_empty() { "unchanged".to_owned() } else { words }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

fn what(change: &Change) -> String {
    match change {
        Change::AddService(service) => format!("add service {}", service.id),
        Change::EditService(service) => format!("edit service {}", service.id),
        Change::DeleteService(id) => format!("delete service {id}"),
        Change::Flush => "delete all services".to_owned(),
        Change::AddDest { service, dest } => {
            format!("add real server {service} -> {}", dest.addr)
        }
        Change::EditDest { service, dest } => {
            format!("edit real server {service} -> {}", dest.addr)
        }
        Change::DeleteDest { service, dest } => {
            format!("delete real server {service} -> {dest}")
        }
        Change::SetHealth { service, .. } => format!("set health of service {service}"),
        Change::SetDestHealth { service, dest, .. } => {
            format!("set health of real server {service} -> {dest}")
        }
        Change::SetAdmin { service, dest, admin } => {
            format!("set real server {service} -> {dest} {}", admin.word())
        }
        Change::Zero(Some(id)) => format!("zero counters of service {id}"),
        Change::Zero(None) => "zero all counters".to_owned(),
        Change::SetTimeouts(_) => "set timeouts".to_owned(),
        Change::StartDaemon(request) => format!("start {} daemon", role(request.role)),
        Change::SetTunable { name, .. } => format!("set tunable {name}"),
        Change::AddMark(rule) => format!("add mark rule {rule}"),
        Change::Declare(id) => format!("declare service {id}"),
        Change::DeclareMark(rule) => format!("declare mark rule {rule}"),
        Change::DeleteMark(rule) => format!("delete mark rule {rule}"),
        Change::StopDaemon(which) => format!("stop {} daemon", role(*which)),
    }
}

fn role(role: SyncRole) -> &'static str {
    match role {
        SyncRole::Master => "master",
        SyncRole::Backup => "backup",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(facts: &[(&'static str, &str)]) -> Facts {
        Facts(facts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    }

    #[test]
    fn an_edit_shows_what_differs_and_a_birth_shows_all() {
        let before = facts(&[("method", "nat"), ("weight", "1")]);
        let after = facts(&[("method", "nat"), ("weight", "3"), ("upper threshold", "9")]);
        assert_eq!(before.beside(&after), "weight 1, upper threshold none");
        assert_eq!(after.beside(&before), "weight 3, upper threshold 9");
        assert_eq!(before.beside(&before), "unchanged");
        assert_eq!(before.beside(&Facts::default()), "method nat, weight 1");
        assert_eq!(Facts::default().beside(&before), "none");
    }
}
