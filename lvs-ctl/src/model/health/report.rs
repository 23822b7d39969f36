//! The health of real servers as it is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Cause, Failure, Health, Via, Warning};
use crate::model::{DestAddr, ServiceId};

/// The health of one real server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DestReport {
    /// The virtual service.
    pub service: ServiceId,
    /// The real server.
    pub dest: DestAddr,
    /// Whether it is the service's sorry server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_sorry: bool,
    /// What is known of it.
    pub health: Health,
    /// Since when, milliseconds ago.
    pub since_ms: u64,
    /// It is held back because it came and went, at least for so long, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
    /// Its share of its weight while it starts slowly, of 1000.
    pub share_permille: u16,
    /// How often it went down since the controller has had it.
    #[serde(default)]
    pub downs: u64,
    /// What is wrong with the way to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Its checks.
    pub checks: Vec<CheckReport>,
}

/// One check of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckReport {
    /// The check in a word, or its type.
    pub check: String,
    /// Through what it goes.
    pub via: Via,
    /// What its results say.
    pub health: Health,
    /// How often it was made since the controller has had it.
    pub runs: u64,
    /// How often it failed since then, by [`Failure::code`](super::Failure::code).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, u64>,
    /// The last result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastResult>,
    /// When the next one is due, milliseconds from now; 0 while one is being made.
    pub next_ms: u64,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastResult {
    /// When it began, milliseconds ago.
    pub ago_ms: u64,
    /// How long it took, microseconds.
    pub latency_us: u64,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it could not be made, if it could not; this is no failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchecked: Option<String>,
    /// What should be looked at although it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<Warning>,
    /// The weight that the check wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

impl LastResult {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match (&self.failure, &self.unchecked, &self.warning) {
            (Some(failure), _, _) => failure.to_string(),
            (None, Some(why), _) => format!("not checked: {why}"),
            (None, None, Some(warning)) => format!("ok, but {warning}"),
            (None, None, None) => "ok".to_owned(),
        }
    }
}
