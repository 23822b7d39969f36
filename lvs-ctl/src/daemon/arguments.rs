//! What `lvs-ctl run` and `lvs-ctl detach` are told.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use clap::Args;

use super::{logging::Logging, serving::Serving};
use crate::config::Mode;

/// Where one director keeps its things.
#[derive(Args, Clone, Debug)]
pub struct Places {
    /// The configuration file [default: /etc/lvs/lvs.toml, if it is there]; /dev/null for none
    #[arg(long, value_name = "FILE", env = "LVS_CONFIG")]
    pub config: Option<PathBuf>,
    /// Directory on a bpffs for the program's maps and links
    #[arg(long, value_name = "DIR", env = "LVS_PIN_DIR", default_value = "/sys/fs/bpf/lvs")]
    pub pin_dir: PathBuf,
    /// Directory for the rules, so that the next controller has them [default: /run/lvs/state, or
    /// /var/lib/lvs with state = "persistent"]
    #[arg(long, value_name = "DIR", env = "LVS_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
}

/// What `lvs-ctl detach` is told.
#[derive(Args, Clone, Debug)]
pub struct DetachArgs {
    /// Leave the rules where they are, for the next controller
    #[arg(long)]
    pub keep_rules: bool,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
}

/// What `lvs-ctl run` is told; it goes before the configuration file.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Interfaces that clients, and in NAT real servers, are reached by
    #[arg(long = "interface", short, value_name = "IF", num_args = 1..)]
    pub interfaces: Vec<String>,
    /// Where in the interface the program stands [default: auto]
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// Connections expected at a time; the table has room for twice as many [default: 131072]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=134_217_728))]
    pub connections: Option<u32>,
    /// The same of IPv6 [default: as many]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=67_108_864))]
    pub connections6: Option<u32>,
    /// Where things are kept.
    #[command(flatten)]
    pub places: Places,
    /// Whom it answers.
    #[command(flatten)]
    pub serving: Serving,
    /// What it logs.
    #[command(flatten)]
    pub logging: Logging,
}
