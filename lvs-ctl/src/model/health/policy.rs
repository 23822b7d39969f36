//! What follows from health, service by service, and what an operator decides over it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CheckSpec, Span, WrongCheck};
use crate::model::{Dest, ServiceId};

/// How a service's real servers are checked, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceHealth {
    /// The checks of every real server that has none of its own. It is up if all of them succeed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSpec>,
    /// What follows from them.
    #[serde(default, skip_serializing_if = "Policy::is_default")]
    pub policy: Policy,
}

/// What follows from health.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What becomes of a real server that is down.
    pub on_down: OnDown,
    /// Whether its connections end at once, too.
    pub reset: bool,
    /// What happens while the quorum is lost, backup servers included.
    pub all_down: AllDown,
    /// The sum of weights that have to be up; 0 counts as 1.
    pub quorum: u32,
    /// The quorum is lost below `quorum - hysteresis`, and there again from `quorum + hysteresis` on.
    pub hysteresis: u32,
    /// A real server that comes back gets its full weight after this time.
    pub slow_start: Span,
    /// Holds back real servers that come and go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damping: Option<Damping>,
    /// Takes all connections while the quorum is lost, with `all_down` `sorry`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sorry_server: Option<Dest>,
    /// The checks of the sorry server; without, it counts as up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sorry_checks: Vec<CheckSpec>,
}

/// What becomes of a real server that is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OnDown {
    /// It gets weight 0; its connections may finish.
    #[default]
    Quiesce,
    /// It leaves the service's list, as with `ipvsadm -d`.
    Remove,
}

/// What happens while the quorum is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AllDown {
    /// Fail closed: only what is up gets connections, and if nothing is, nobody.
    #[default]
    Closed,
    /// Fail open: every real server counts as up.
    Open,
    /// The sorry server gets all connections.
    Sorry,
}

/// A real server that went down `flaps` times `within` a time comes back only after it has been good
/// for `hold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Damping {
    /// So many times, at least 2.
    pub flaps: u32,
    /// In this time.
    pub within: Span,
    /// So long it has to be good.
    pub hold: Span,
}

/// How one real server is checked; not what the operator decided over its health.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DestHealth {
    /// Its own checks, instead of the service's; an empty list means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<CheckSpec>>,
    /// It gets connections only while the others do not reach the quorum.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
}

/// What the operator decided over a real server's health. It survives flaps and controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Admin {
    /// Its health decides.
    #[default]
    Enabled,
    /// No new connections; those that there are may finish.
    Drain,
    /// It counts as down, whatever its checks say.
    Maintenance,
    /// It counts as up, whatever its checks say.
    ForcedUp,
}

impl Admin {
    /// As commands say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Drain => "drain",
            Self::Maintenance => "maintenance",
            Self::ForcedUp => "forced-up",
        }
    }
}

impl Policy {
    /// Whether all of it is as by default.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first field that makes none.
    pub fn judge(&self) -> Result<(), WrongCheck> {
        let quorum = self.quorum.max(1);
        if self.hysteresis >= quorum {
            let message = format!("{} is not less than the quorum ({quorum})", self.hysteresis);
            return Err(WrongCheck::new("hysteresis", message));
        }
        match (self.all_down, &self.sorry_server) {
            (AllDown::Sorry, None) => {
                return Err(WrongCheck::new("all_down", "there is no sorry_server"));
            }
            (AllDown::Closed | AllDown::Open, Some(_)) => {
                let message = "this needs all_down = \"sorry\"";
                return Err(WrongCheck::new("sorry_server", message));
            }
            _ => (),
        }
        match self.damping {
            Some(Damping { flaps: 0 | 1, .. }) => {
                Err(WrongCheck::new("damping", "flaps is at least 2"))
            }
            Some(Damping { within, hold, .. }) if within.is_zero() || hold.is_zero() => {
                Err(WrongCheck::new("damping", "within and hold are longer than 0"))
            }
            _ => Ok(()),
        }
    }
}

impl ServiceHealth {
    /// Whether nothing is checked and nothing decided.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it makes sense in this service.
    ///
    /// # Errors
    /// The first field that makes none.
    pub fn judge(&self, service: &ServiceId) -> Result<(), WrongCheck> {
        judge(&self.checks, service)?;
        judge(&self.policy.sorry_checks, service)?;
        self.policy.judge()
    }
}

impl DestHealth {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it makes sense in this service.
    ///
    /// # Errors
    /// The first field that makes none.
    pub fn judge(&self, service: &ServiceId) -> Result<(), WrongCheck> {
        judge(self.checks.as_deref().unwrap_or_default(), service)
    }
}

fn judge(checks: &[CheckSpec], service: &ServiceId) -> Result<(), WrongCheck> {
    const MOST: usize = 16;
    if checks.len() > MOST {
        return Err(WrongCheck::new("check", format!("more than {MOST} checks")));
    }
    checks.iter().try_for_each(|spec| spec.read_in(service).map(drop))
}
