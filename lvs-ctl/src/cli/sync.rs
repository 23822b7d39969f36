//! `lvs-ctl sync …`: the configuration of synchronisation daemons.

use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};

use super::{Context, Failure, service::Json};
use crate::api::types::{Change, SyncDaemon, SyncRequest, SyncRole};

/// What to do with synchronisation daemons.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Configure a daemon
    #[command(after_help = "Example:\n  \
        lvs-ctl sync start master --interface eth1 --id 7")]
    Start(Start),
    /// Remove a daemon's configuration
    Stop(Stop),
    /// Show what is configured
    Show(Json),
}

/// A daemon.
#[derive(Debug, Args)]
pub struct Start {
    /// Which daemon
    role: Role,
    /// The interface for multicast
    #[arg(long, default_value = "eth0")]
    interface: String,
    /// Its id
    #[arg(long, default_value_t = 0)]
    id: u8,
    /// Longest message, bytes [default: what fits the interface]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(1..=65507))]
    max_length: Option<u16>,
    /// Multicast group [default: 224.0.0.81]
    #[arg(long)]
    group: Option<IpAddr>,
    /// UDP port [default: 8848]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// TTL or hop limit [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    ttl: Option<u8>,
    #[command(flatten)]
    json: Json,
}

/// Which daemon to stop.
#[derive(Debug, Args)]
pub struct Stop {
    /// Which daemon
    role: Role,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Sends connections
    Master,
    /// Takes connections
    Backup,
}

impl From<Role> for SyncRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Master => Self::Master,
            Role::Backup => Self::Backup,
        }
    }
}

impl Verb {
    /// Carries it out.
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Start(start) => start.run(context),
            Self::Stop(Stop { role, json }) => {
                context.change("sync stop", Change::StopDaemon(role.into()), json.json)
            }
            Self::Show(json) => show(context, json),
        }
    }
}

impl Start {
    fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        if let Some(group) = self.group.filter(|group| !group.is_multicast()) {
            return Err(Failure::new(format!("{group} is no multicast group")));
        }
        let request = SyncRequest {
            role: self.role.into(),
            interface: self.interface,
            sync_id: self.id,
            max_length: self.max_length,
            group: self.group,
            port: self.port,
            ttl: self.ttl,
        };
        let subject = format!("sync start on {}", request.interface);
        context.change(&subject, Change::StartDaemon(request), self.json.json)?;
        context.remark("the configuration is kept; connections are not synchronised yet");
        Ok(())
    }
}

fn show(context: &mut Context<'_>, json: Json) -> Result<(), Failure> {
    let daemons = context.controller.settings()?.daemons;
    if json.json {
        return context.json(&daemons);
    }
    let line = |role: &str, daemon: &SyncDaemon| {
        let SyncDaemon { interface, sync_id, max_length, group, port, ttl } = daemon;
        format!(
            "{role}  {interface}  id {sync_id}  group {group}  port {port}  ttl {ttl}  at most {max_length} bytes\n"
        )
    };
    let master = daemons.master.iter().map(|daemon| line("master", daemon));
    let backup = daemons.backup.iter().map(|daemon| line("backup", daemon));
    let text: String = master.chain(backup).collect();
    context.print(&text);
    Ok(())
}
