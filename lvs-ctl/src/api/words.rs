//! A connection as a line of words, for those who take `text/plain`: a million of them are read in half the time that
//! JSON takes.
//!
//! `TCP ESTABLISHED 897 198.51.100.7 40000 192.0.2.1 80 192.0.2.11 8080`: protocol (`-` is every one), state, seconds
//! left, client, virtual end, real server. A connection that has more to say is a line of JSON.

use std::{borrow::Cow, io::Write as _, str::FromStr};

use super::types::{Connection, Peer, Protocol};

/// The type that clients ask for.
pub(super) const TEXT: &str = "text/plain";

const PROTOCOLS: [(&str, Protocol); 3] =
    [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp), ("SCTP", Protocol::Sctp)];

/// States that connections are mostly in.
const STATES: [&str; 10] = [
    "ESTABLISHED",
    "SYN_RECV",
    "FIN_WAIT",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "UDP",
    "NONE",
    "ASSURED",
];

/// Appends the line.
pub(super) fn push(chunk: &mut Vec<u8>, connection: &Connection) {
    let Connection { protocol, state, expires_s, client, vip, dest, engine } = connection;
    // Writing to memory does not fail.
    if engine.is_some() {
        serde_json::to_writer(&mut *chunk, connection).ok();
    } else {
        let protocol = PROTOCOLS.iter().find(|(_, known)| Some(*known) == *protocol);
        let protocol = protocol.map_or("-", |(name, _)| name);
        write!(chunk, "{protocol} {state} {expires_s}").ok();
        for Peer { address, port } in [client, vip, dest] {
            write!(chunk, " {address} {port}").ok();
        }
    }
    chunk.push(b'\n');
}

/// Reads a line, without its end.
pub(super) fn read(line: &[u8]) -> Option<Connection> {
    if line.first() == Some(&b'{') {
        return serde_json::from_slice(line).ok();
    }
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let protocol = match words.next()? {
        "-" => None,
        name => Some(PROTOCOLS.iter().find(|(known, _)| *known == name)?.1),
    };
    let state = words.next()?;
    let known = STATES.iter().find(|known| **known == state);
    let state = known.map_or_else(|| Cow::Owned(state.to_owned()), |known| Cow::Borrowed(*known));
    let expires_s = number(&mut words)?;
    let mut peer = || Some(Peer { address: number(&mut words)?, port: number(&mut words)? });
    let (client, vip, dest) = (peer()?, peer()?, peer()?);
    let is_all = words.next().is_none();
    is_all.then_some(Connection { protocol, state, client, vip, dest, expires_s, engine: None })
}

fn number<'a, T: FromStr>(words: &mut impl Iterator<Item = &'a str>) -> Option<T> {
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::types::EngineData;

    fn peer(address: &str, port: u16) -> Peer {
        Peer { address: address.parse().unwrap(), port }
    }

    fn connection() -> Connection {
        Connection {
            protocol: Some(Protocol::Tcp),
            state: "ESTABLISHED".into(),
            client: peer("198.51.100.7", 40_000),
            vip: peer("192.0.2.1", 80),
            dest: peer("192.0.2.11", 8080),
            expires_s: 897,
            engine: None,
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let plain = connection();
        let mark = Connection {
            protocol: None,
            state: "a new state".replace(' ', "_").into(),
            vip: peer("0.0.0.7", 0),
            ..connection()
        };
        let v6 = Connection {
            protocol: Some(Protocol::Udp),
            client: peer("2001:db8::1", 1),
            ..connection()
        };
        let engine = Some(EngineData { name: "sip".into(), data: "a b\n".into() });
        for connection in [plain, mark, v6, Connection { engine, ..connection() }] {
            let mut line = Vec::new();
            push(&mut line, &connection);
            assert_eq!(line.pop(), Some(b'\n'));
            assert!(!line.contains(&b'\n'));
            assert_eq!(read(&line), Some(connection));
        }
    }

    #[test]
    fn a_connection_is_nine_words() {
        let mut line = Vec::new();
        push(&mut line, &connection());
        let text = "TCP ESTABLISHED 897 198.51.100.7 40000 192.0.2.1 80 192.0.2.11 8080\n";
        assert_eq!(String::from_utf8(line).unwrap(), text);
    }

    #[test]
    fn what_is_no_line_is_not_read() {
        for line in
            ["", "TCP", "GRE NONE 1 ::1 1 ::1 1 ::1 1", "- NONE 1 ::1 1 ::1 1 ::1 1 1", "{}"]
        {
            assert_eq!(read(line.as_bytes()), None, "{line}");
        }
    }
}
