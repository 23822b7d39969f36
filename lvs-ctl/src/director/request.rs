//! What the director is asked.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::{Change, Connection, ServiceId};

/// A list of changes, made in order and seen by packets at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// The changes.
    pub changes: Vec<Change>,
    /// Make none if one is refused; otherwise refused ones are skipped and reported.
    #[serde(default)]
    pub all_or_nothing: bool,
    /// Make none unless the table still has this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_revision: Option<u64>,
}

/// What a listing shall contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListQuery {
    /// One service only.
    pub service: Option<ServiceId>,
    /// With counters.
    pub stats: bool,
    /// With rates.
    pub rates: bool,
}

/// Which connections are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionQuery {
    /// Only from this client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// Only to this VIP.
    #[serde(rename = "virtual", skip_serializing_if = "Option::is_none")]
    pub vip: Option<IpAddr>,
    /// Only at this real server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dest: Option<IpAddr>,
    /// Only in the state of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// At most this many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl ConnectionQuery {
    /// Whether `connection` is one of them.
    #[must_use]
    pub fn wants(&self, connection: &Connection) -> bool {
        self.client.is_none_or(|client| client == connection.client.address)
            && self.vip.is_none_or(|vip| vip == connection.vip.address)
            && self.dest.is_none_or(|dest| dest == connection.dest.address)
            && self.state.as_ref().is_none_or(|state| *state == connection.state)
    }
}
