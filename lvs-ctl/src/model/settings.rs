//! What the table holds beside services: timeouts and synchronisation daemons.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The connection timeouts that `--set` sets, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// Established TCP connections.
    pub tcp_s: u32,
    /// TCP connections after a FIN.
    pub tcp_fin_s: u32,
    /// UDP connections.
    pub udp_s: u32,
}

/// The two roles of a synchronisation daemon; one of each may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyncRole {
    /// Sends connections.
    Master,
    /// Takes connections.
    Backup,
}

/// What is asked for when a synchronisation daemon starts; what is left out gets IPVS's default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncRequest {
    /// Which daemon.
    pub role: SyncRole,
    /// The interface for multicast.
    pub interface: String,
    /// Messages of other ids are ignored by a backup, unless this is 0.
    #[serde(default)]
    pub sync_id: u8,
    /// Longest message, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u16>,
    /// Multicast group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub group: Option<IpAddr>,
    /// UDP port, host order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// TTL or hop limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
}

/// A synchronisation daemon as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncDaemon {
    /// The interface for multicast.
    pub interface: String,
    /// Its id.
    pub sync_id: u8,
    /// Longest message, bytes.
    pub max_length: u16,
    /// Multicast group.
    #[schema(value_type = String)]
    pub group: IpAddr,
    /// UDP port, host order.
    pub port: u16,
    /// TTL or hop limit.
    pub ttl: u8,
}

/// The configured synchronisation daemons.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Daemons {
    /// The sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<SyncDaemon>,
    /// The receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<SyncDaemon>,
}

impl Default for Timeouts {
    /// IPVS's own: 15 minutes, 2 minutes, 5 minutes.
    fn default() -> Self {
        Self { tcp_s: 900, tcp_fin_s: 120, udp_s: 300 }
    }
}

impl Timeouts {
    /// `self` where `change` says 0, else `change` (`--set 0 60 0`).
    #[must_use]
    pub fn updated_by(self, change: Self) -> Self {
        let or = |new: u32, old: u32| if new == 0 { old } else { new };
        Self {
            tcp_s: or(change.tcp_s, self.tcp_s),
            tcp_fin_s: or(change.tcp_fin_s, self.tcp_fin_s),
            udp_s: or(change.udp_s, self.udp_s),
        }
    }
}

impl Daemons {
    /// Whether none is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.master.is_none() && self.backup.is_none()
    }

    /// The place of the daemon in `role`.
    pub fn slot(&mut self, role: SyncRole) -> &mut Option<SyncDaemon> {
        match role {
            SyncRole::Master => &mut self.master,
            SyncRole::Backup => &mut self.backup,
        }
    }
}
