//! What audit lines say of checks, and of what follows from them.

use super::{Facts, TARGET, Who};
use crate::{
    director::HealthChange,
    model::{
        DestAddr, ServiceId, Table,
        health::{AllDown, CheckSpec, Effective, Health, OnDown, Policy},
    },
};

/// Writes that somebody ended the connections of a real server.
pub(in crate::director) fn reset(
    who: &Who,
    service: &ServiceId,
    dest: &DestAddr,
    ended: u64,
    revision: u64,
) {
    let what = format!("connections of real server {service} -> {dest}");
    tracing::info!(
        target: TARGET,
        who = &*who.description,
        what,
        before = ended,
        after = 0,
        revision,
        "audit"
    );
}

/// What health changed, for its audit line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::director) struct HealthRecord {
    what: String,
    before: String,
    after: String,
    cause: String,
}

impl HealthRecord {
    /// The line for `change`, unless it is only that nothing is wrong.
    pub(in crate::director) fn of(change: &HealthChange) -> Option<Self> {
        match change {
            HealthChange::Dest { health: Health::Up, before, after, .. } if before == after => None,
            HealthChange::Dest { service, dest, health, before, after, cause } => {
                let gets = |gets: &Effective| match gets {
                    Effective::Weight(weight) => format!("weight {weight}"),
                    Effective::Absent => "absent".to_owned(),
                };
                Some(Self {
                    what: format!("real server {service} -> {dest} {}", health.word()),
                    before: gets(before),
                    after: gets(after),
                    cause: cause.clone(),
                })
            }
            HealthChange::Quorum { service, before, after } => Some(Self {
                what: format!("quorum of service {service}"),
                before: before.word().to_owned(),
                after: after.word().to_owned(),
                cause: "real servers went or came".to_owned(),
            }),
        }
    }

    /// Writes the line.
    pub(in crate::director) fn write(&self, revision: u64) {
        let Self { what, before, after, cause } = self;
        tracing::info!(
            target: TARGET,
            who = "health",
            what,
            before,
            after,
            cause,
            revision,
            "audit"
        );
    }
}

impl Facts {
    pub(super) fn of_health(table: &Table, id: &ServiceId) -> Self {
        let Some(entry) = table.get(id).filter(|entry| !entry.health.is_default()) else {
            return Self::default();
        };
        let Policy {
            on_down,
            reset,
            all_down,
            quorum,
            hysteresis,
            slow_start,
            damping,
            sorry_server,
            sorry_checks: _,
        } = &entry.health.policy;
        let mut facts = Self(vec![("checks", words(&entry.health.checks))]);
        if *on_down == OnDown::Remove {
            facts.add("on down", "remove");
        }
        if *reset {
            facts.add("reset", "yes");
        }
        match all_down {
            AllDown::Closed => (),
            AllDown::Open => facts.add("all down", "open"),
            AllDown::Sorry => facts.add("all down", "sorry"),
        }
        if *quorum > 1 {
            facts.add("quorum", quorum);
            facts.add("hysteresis", hysteresis);
        }
        if !slow_start.is_zero() {
            facts.add("slow start", slow_start);
        }
        if let Some(damping) = damping {
            let words = format!("{} in {} for {}", damping.flaps, damping.within, damping.hold);
            facts.add("damping", words);
        }
        if let Some(sorry) = sorry_server {
            facts.add("sorry server", sorry.addr);
        }
        facts
    }

    pub(super) fn of_dest_health(table: &Table, id: &ServiceId, addr: &DestAddr) -> Self {
        let rules = table.get(id).and_then(|entry| entry.dest_rules.get(addr));
        let Some(rules) = rules.filter(|rules| !rules.health.is_default()) else {
            return Self::default();
        };
        let mut facts = Self::default();
        if let Some(checks) = &rules.health.checks {
            facts.add("checks", words(checks));
        }
        if rules.health.backup {
            facts.add("backup", "yes");
        }
        facts
    }
}

fn words(checks: &[CheckSpec]) -> String {
    let words: Vec<_> = checks.iter().map(CheckSpec::label).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}
