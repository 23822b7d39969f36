//! `-c`: one line a connection.

use std::fmt::Write as _;

use super::{Format, View};
use crate::{
    api::types::{Connection, Protocol},
    model::text::{self, Naming},
};

/// The title lines.
pub(in super::super) fn connections_title(format: Format) -> String {
    let mut out = "IPVS connection entries\n".to_owned();
    out += "pro expire state       source             virtual            destination";
    if format.view == View::PersistentConn {
        out += "        pe name          pe_data";
    }
    out.push('\n');
    out
}

/// Appends the line of one connection. There may be millions.
pub(in super::super) fn connection(
    out: &mut String,
    connection: &Connection,
    format: Format,
    names: &dyn Naming,
) {
    let Connection { protocol, state, client, vip, dest, expires_s, engine } = connection;
    // Only TCP's and UDP's ports get names here.
    let with_port_names = protocol.filter(|&protocol| protocol != Protocol::Sctp);
    let name = match protocol {
        Some(Protocol::Tcp) => "TCP",
        Some(Protocol::Udp) => "UDP",
        Some(Protocol::Sctp) => "SCTP",
        None => "IP",
    };
    let mut column = |width: usize, write: &mut dyn FnMut(&mut String)| {
        let start = out.len();
        write(out);
        let missing = width.saturating_sub(out.len() - start);
        out.extend(std::iter::repeat_n(' ', missing + 1));
    };
    column(3, &mut |out| *out += name);
    // Writing to memory does not fail.
    column(6, &mut |out| {
        write!(out, "{:02}:{:02}", expires_s / 60, expires_s % 60).ok();
    });
    column(11, &mut |out| *out += state);
    for (peer, width) in [(client, 18), (vip, 18), (dest, 16)] {
        column(width, &mut |out| {
            text::push_endpoint(out, peer.address, peer.port, with_port_names, names);
        });
    }
    match engine {
        Some(engine) if format.view == View::PersistentConn => {
            write!(out, "{:<18} {}", engine.name, engine.data).ok();
        }
        _ => out.truncate(out.trim_end().len()),
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::types::{EngineData, Peer},
        model::text::Numeric,
    };

    fn peer(text: &str) -> Peer {
        let socket: std::net::SocketAddr = text.parse().unwrap();
        Peer { address: socket.ip(), port: socket.port() }
    }

    fn entry(protocol: Option<Protocol>, state: &'static str, peers: [&str; 3]) -> Connection {
        let [client, vip, dest] = peers.map(peer);
        let state = state.into();
        Connection { protocol, state, client, vip, dest, expires_s: 59, engine: None }
    }

    fn check(connection_: &Connection, persistent_conn: bool, expected: &str) {
        let view = if persistent_conn { View::PersistentConn } else { View::Default };
        let format = Format { view, ..Format::default() };
        let mut line = String::new();
        connection(&mut line, connection_, format, &Numeric);
        assert_eq!(line, format!("{expected}\n"));
    }

    #[test]
    fn connections_stand_in_columns() {
        let peers = ["10.0.0.1:5003", "192.168.4.5:53", "192.168.2.12:53"];
        let udp = entry(Some(Protocol::Udp), "UDP", peers);
        check(
            &Connection { expires_s: 297, ..udp.clone() },
            false,
            "UDP 04:57  UDP         10.0.0.1:5003      192.168.4.5:53     192.168.2.12:53",
        );
        check(
            &Connection { expires_s: 900 * 60, ..udp },
            false,
            "UDP 900:00 UDP         10.0.0.1:5003      192.168.4.5:53     192.168.2.12:53",
        );
    }

    #[test]
    fn templates_of_marks_have_protocol_ip() {
        let template = entry(None, "NONE", ["172.16.8.0:0", "0.0.0.7:0", "10.1.0.7:0"]);
        check(
            &template,
            false,
            "IP  00:59  NONE        172.16.8.0:0       0.0.0.7:0          10.1.0.7:0",
        );
    }

    #[test]
    fn engine_data_shows_with_persistent_conn_only() {
        let peers = ["10.0.0.1:0", "192.168.4.5:5060", "10.1.0.7:5060"];
        let engine = Some(EngineData { name: "sip".into(), data: "call-1".into() });
        let sip = Connection { engine, ..entry(Some(Protocol::Udp), "NONE", peers) };
        let start = "UDP 00:59  NONE        10.0.0.1:0         192.168.4.5:5060   10.1.0.7:5060";
        check(&sip, false, start);
        check(&sip, true, &format!("{start}    sip                call-1"));
    }
}
