//! `lvs-ctl timeouts`.

use clap::Args;

use super::{Context, Failure, service::Json};
use crate::api::types::{Change, Timeouts};

/// 31 days, as ipvsadm allows.
const MAX_S: i64 = 31 * 24 * 3600;

/// Which timeouts to set; without any they are shown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    lvs-ctl timeouts\n  \
    lvs-ctl timeouts --tcp 3600 --udp 60")]
pub struct Arguments {
    /// Established TCP connections, seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=MAX_S))]
    tcp: Option<u32>,
    /// TCP connections after a FIN, seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=MAX_S))]
    tcp_fin: Option<u32>,
    /// UDP connections, seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=MAX_S))]
    udp: Option<u32>,
    #[command(flatten)]
    json: Json,
}

impl Arguments {
    /// Carries it out.
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        let json = self.json.json;
        if self.tcp.is_some() || self.tcp_fin.is_some() || self.udp.is_some() {
            // 0 keeps a timeout as it is.
            let timeouts = Timeouts {
                tcp_s: self.tcp.unwrap_or(0),
                tcp_fin_s: self.tcp_fin.unwrap_or(0),
                udp_s: self.udp.unwrap_or(0),
            };
            return context.change("timeouts", Change::SetTimeouts(timeouts), json);
        }
        let timeouts = context.controller.settings()?.timeouts;
        if json {
            return context.json(&timeouts);
        }
        let Timeouts { tcp_s, tcp_fin_s, udp_s } = timeouts;
        context.print(&format!("tcp      {tcp_s} s\ntcp-fin  {tcp_fin_s} s\nudp      {udp_s} s\n"));
        Ok(())
    }
}
