//! `--timeout` and `--daemon`.

use crate::api::types::{Daemons, SyncDaemon, Timeouts};

/// The timeouts' line.
pub(in super::super) fn timeouts(timeouts: Timeouts) -> String {
    let Timeouts { tcp_s, tcp_fin_s, udp_s } = timeouts;
    format!("Timeout (tcp tcpfin udp): {tcp_s} {tcp_fin_s} {udp_s}\n")
}

/// A line for each daemon.
pub(in super::super) fn daemons(daemons: &Daemons) -> String {
    let line = |role, daemon: &SyncDaemon| {
        let SyncDaemon { interface, sync_id, max_length, group, port, ttl } = daemon;
        format!(
            "{role} sync daemon (mcast={interface}, syncid={sync_id}, maxlen={max_length}, \
             group={group}, port={port}, ttl={ttl})\n"
        )
    };
    let master = daemons.master.as_ref().map(|daemon| line("master", daemon));
    let backup = daemons.backup.as_ref().map(|daemon| line("backup", daemon));
    master.into_iter().chain(backup).collect()
}
