//! `lvs-ctl connections`.

use std::net::IpAddr;

use clap::Args;

use super::{Context, Failure, argument, service::Json};
use crate::api::types::{Connection, ConnectionQuery, DestAddr, Peer};

/// Which connections to show.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    lvs-ctl connections --limit 20\n  \
    lvs-ctl connections --service tcp:192.0.2.1:443\n  \
    lvs-ctl connections --backend 192.0.2.11 --state ESTABLISHED --json")]
pub struct Arguments {
    /// Only of this virtual service: tcp:VIP:PORT, udp:VIP:PORT, fwmark:MARK …
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Only from this client
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// Only to this VIP
    #[arg(long, value_name = "ADDRESS")]
    vip: Option<IpAddr>,
    /// Only at this real server
    #[arg(long, value_name = "ADDRESS")]
    backend: Option<IpAddr>,
    /// Only in this state, such as ESTABLISHED or NONE (templates)
    #[arg(long)]
    state: Option<String>,
    /// At most this many
    #[arg(long)]
    limit: Option<usize>,
    /// One JSON object a line
    #[command(flatten)]
    json: Json,
}

impl Arguments {
    /// Carries it out.
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<(), Failure> {
        let json = self.json.json;
        let names = context.names;
        let service = self.service.map(|text| argument::service_id(&text, names)).transpose()?;
        let query = ConnectionQuery {
            service,
            client: self.client,
            vip: self.vip,
            dest: self.backend,
            state: self.state,
            limit: self.limit,
        };
        if !json {
            let head = ["PROTOCOL", "STATE", "EXPIRES", "CLIENT", "VIRTUAL", "BACKEND"];
            context.print(&line(head.map(str::to_owned)));
        }
        let output = &mut *context.output;
        context.controller.connections(&query, &mut |connection| {
            let text = if json { json_line(&connection) } else { line(cells(&connection)) };
            output.write_all(text.as_bytes()).is_ok()
        })?;
        context.print("");
        Ok(())
    }
}

/// Columns are of fixed width, as the widest is not known before the end.
fn line(cells: [String; 6]) -> String {
    let [protocol, state, expires, client, vip, backend] = cells;
    format!("{protocol:<8}  {state:<11}  {expires:<8}  {client:<21}  {vip:<21}  {backend}\n")
}

fn cells(connection: &Connection) -> [String; 6] {
    let peer = |peer: Peer| DestAddr { address: peer.address, port: peer.port }.to_string();
    let protocol = connection.protocol.map_or("any", |protocol| protocol.name());
    [
        protocol.into(),
        connection.state.to_string(),
        format!("{}s", connection.expires_s),
        peer(connection.client),
        peer(connection.vip),
        peer(connection.dest),
    ]
}

fn json_line(connection: &Connection) -> String {
    // Plain structs are always JSON.
    serde_json::to_string(connection).map(|text| text + "\n").unwrap_or_default()
}
