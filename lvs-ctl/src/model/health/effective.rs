//! What a service's real servers get: the operator's weights, seen through health.
//!
//! Pure: the same rules and verdicts give the same, but for the [`Gate`], which remembers on which
//! side of the quorum the service is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Admin, AllDown, Health, OnDown, Policy, recovery::WHOLE};
use crate::model::{DestAddr, VirtualService};

/// What the checks of one real server say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Up or down.
    pub health: Health,
    /// Its share of its weight, of 1000 (slow start).
    pub share_permille: u16,
    /// The weight that its checks want: their sum, and how many say one. Each counts as far as it
    /// differs from the operator's.
    pub wanted: (u32, u32),
}

/// What a real server gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effective {
    /// It is in the list, with this weight.
    Weight(u32),
    /// It is not in the list.
    Absent,
}

/// Where a service stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// What each real server gets.
    pub dests: BTreeMap<DestAddr, Effective>,
    /// Whether the sorry server takes all connections.
    pub is_sorry: bool,
}

/// Which side of the quorum a service is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// Enough real servers are up.
    #[default]
    Met,
    /// Not enough; backup servers make up for it.
    Backup,
    /// Not enough, backup servers included.
    Lost,
}

/// What each real server of `entry` gets, and on which side of the quorum the service is from now on.
/// `verdict` answers for each real server; `sorry_is_up` for the sorry server.
#[must_use]
pub fn effective(
    entry: &VirtualService,
    verdict: impl Fn(&DestAddr) -> Verdict,
    sorry_is_up: bool,
    before: Gate,
) -> (Standing, Gate) {
    let policy = &entry.health.policy;
    let members: Vec<Member> = entry
        .pool
        .iter()
        .map(|real| {
            let addr = real.dest.addr;
            let (admin, backup) = (entry.admin(&addr), entry.is_backup(&addr));
            Member::new(addr, real.dest.weight, admin, backup, verdict(&addr))
        })
        .collect();
    let gate = before.after(&members, policy);
    let is_sorry = gate == Gate::Lost
        && policy.all_down == AllDown::Sorry
        && policy.sorry_server.is_some()
        && sorry_is_up;
    let out = match policy.on_down {
        OnDown::Quiesce => Effective::Weight(0),
        OnDown::Remove => Effective::Absent,
    };
    let is_open = gate == Gate::Lost && policy.all_down == AllDown::Open;
    let gets = |member: &Member| match member.admin {
        Admin::Drain => Effective::Weight(0),
        Admin::Maintenance => out,
        Admin::Enabled | Admin::ForcedUp if is_sorry => out,
        Admin::Enabled | Admin::ForcedUp if is_open => Effective::Weight(member.operators),
        Admin::Enabled | Admin::ForcedUp => {
            let is_wanted = !member.is_backup || gate != Gate::Met;
            if member.is_up && is_wanted { Effective::Weight(member.share()) } else { out }
        }
    };
    let dests = members.iter().map(|member| (member.addr, gets(member))).collect();
    (Standing { dests, is_sorry }, gate)
}

/// A real server, as far as this matters.
struct Member {
    addr: DestAddr,
    operators: u32,
    /// The operator's weight, or what its checks want instead.
    weight: u32,
    share_permille: u16,
    admin: Admin,
    is_backup: bool,
    is_up: bool,
}

impl Verdict {
    /// Nothing is known.
    pub const NONE: Self = Self { health: Health::Unknown, share_permille: WHOLE, wanted: (0, 0) };

    /// Only this is known.
    #[must_use]
    pub fn of(health: Health) -> Self {
        Self { health, ..Self::NONE }
    }
}

impl Gate {
    /// As audit lines say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Backup => "met by backup servers",
            Self::Lost => "lost",
        }
    }

    /// The side after this, with `quorum_up` and `quorum_down` of keepalived.
    fn after(self, members: &[Member], policy: &Policy) -> Self {
        let sum = |all: &dyn Fn(&&Member) -> bool| -> u64 {
            members.iter().filter(all).map(|member| u64::from(member.weight)).sum()
        };
        let up = |backup: bool| sum(&|member| member.is_up && member.is_backup == backup);
        // More than all together is never reached.
        let all = |backups: bool| sum(&|member| backups || !member.is_backup).max(1);
        let quorum = u64::from(policy.quorum.max(1));
        let hysteresis = u64::from(policy.hysteresis).min(quorum - 1);
        let is_met = |up: u64, all: u64, was_met: bool| {
            let quorum = quorum.min(all);
            let threshold = if was_met {
                quorum.saturating_sub(hysteresis).max(1)
            } else {
                (quorum + hysteresis).min(all)
            };
            up >= threshold
        };
        let (primary, backup) = (up(false), up(true));
        if is_met(primary, all(false), self == Self::Met) {
            Self::Met
        } else if backup > 0 && is_met(primary + backup, all(true), self != Self::Lost) {
            Self::Backup
        } else {
            Self::Lost
        }
    }
}

impl Member {
    fn new(
        addr: DestAddr,
        operators: u32,
        admin: Admin,
        is_backup: bool,
        verdict: Verdict,
    ) -> Self {
        let is_up = match admin {
            Admin::Enabled => verdict.health.is_up(),
            Admin::Drain | Admin::Maintenance => false,
            Admin::ForcedUp => true,
        };
        let (sum, count) = verdict.wanted;
        let offset = i64::from(sum) - i64::from(count) * i64::from(operators);
        let wanted = (i64::from(operators) + offset).clamp(0, i64::from(i32::MAX));
        // Whoever quiesced a real server by hand has the last word.
        let weight = if operators == 0 { 0 } else { u32::try_from(wanted).unwrap_or(0) };
        let share_permille = verdict.share_permille;
        Self { addr, operators, weight, share_permille, admin, is_backup, is_up }
    }

    /// The weight, or in a slow start a part of it, at least 1.
    fn share(&self) -> u32 {
        if self.weight == 0 {
            return 0;
        }
        let part = u64::from(self.weight) * u64::from(self.share_permille) / u64::from(WHOLE);
        u32::try_from(part).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
#[path = "effective_tests.rs"]
mod tests;
