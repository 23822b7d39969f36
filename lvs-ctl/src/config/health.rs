//! `[service.health]`: what follows from checks.

use serde::{Deserialize, Serialize};

use super::{backend::FileBackend, check::Checks, mistake::Fault, place::Key};
use crate::model::{
    ServiceId,
    health::{AllDown, Damping, OnDown, Policy, ServiceHealth, Span},
};

/// What becomes of real servers whose checks fail. Everything may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileHealth {
    /// A real server that is down gets weight 0 (`quiesce`, if left out) or leaves the list
    /// (`remove`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_down: Option<OnDown>,
    /// Its connections end at once, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// While the quorum is lost: only what is up gets connections (`closed`, if left out), every real
    /// server does (`open`), or the sorry server gets them all (`sorry`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_down: Option<AllDown>,
    /// The sum of weights that has to be up; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub quorum: Option<u32>,
    /// The quorum is lost below `quorum - hysteresis`, and there again from `quorum + hysteresis` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hysteresis: Option<u32>,
    /// A real server that comes back gets its full weight after this time, a tenth more at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<Span>,
    /// Holds back real servers that come and go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damping: Option<Damping>,
    /// The sorry server; its own `check` says whether it can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sorry_server: Option<Box<FileBackend>>,
}

impl FileHealth {
    /// How the file says `policy`.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let Policy {
            on_down,
            reset,
            all_down,
            quorum,
            hysteresis,
            slow_start,
            damping,
            sorry_server,
            sorry_checks,
        } = policy;
        let sorry_server = sorry_server.as_ref().map(|dest| {
            let check = (!sorry_checks.is_empty()).then(|| Checks::new(sorry_checks));
            Box::new(FileBackend { check, ..FileBackend::new(dest) })
        });
        Self {
            on_down: Some(*on_down).filter(|on_down| *on_down != OnDown::default()),
            reset: *reset,
            all_down: Some(*all_down).filter(|all_down| *all_down != AllDown::default()),
            quorum: Some(*quorum).filter(|quorum| *quorum != 0),
            hysteresis: Some(*hysteresis).filter(|hysteresis| *hysteresis != 0),
            slow_start: Some(*slow_start).filter(|span| !span.is_zero()),
            damping: *damping,
            sorry_server,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The health of the service `id` that stands at `key`, whose `check` says `checks`.
    pub(super) fn health(
        &self,
        id: ServiceId,
        checks: &Checks,
        key: &Key,
    ) -> Result<ServiceHealth, Fault> {
        let own = key.name("health");
        if self.quorum == Some(0) {
            return Err(Fault::new(&own.name("quorum"), "0 is no quorum"));
        }
        let sorry_key = own.name("sorry_server");
        let sorry = self.sorry_server.as_ref();
        let sorry_server = sorry.map(|sorry| sorry.dest(id, &sorry_key)).transpose()?;
        let sorry_checks = sorry.and_then(|sorry| sorry.check.as_ref());
        let sorry_checks = sorry_checks.map(|checks| checks.judged(&id, &sorry_key.name("check")));
        if sorry.is_some_and(|sorry| sorry.backup) {
            return Err(Fault::new(&sorry_key.name("backup"), "a sorry server is none"));
        }
        let policy = Policy {
            on_down: self.on_down.unwrap_or_default(),
            reset: self.reset,
            all_down: self.all_down.unwrap_or_default(),
            quorum: self.quorum.unwrap_or(0),
            hysteresis: self.hysteresis.unwrap_or(0),
            slow_start: self.slow_start.unwrap_or_default(),
            damping: self.damping,
            sorry_server,
            sorry_checks: sorry_checks.transpose()?.unwrap_or_default(),
        };
        policy.judge().map_err(|wrong| Fault::new(&own.name(wrong.field), wrong.message))?;
        let checks = checks.judged(&id, &key.name("check"))?;
        let health = ServiceHealth { checks, policy };
        health.judge(&id).map_err(|wrong| Fault::new(&key.name(wrong.field), wrong.message))?;
        Ok(health)
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
