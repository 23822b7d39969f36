//! The clients' and real servers' TCP, as far as a director sees it: which segments follow which.

use std::net::SocketAddr;

use anyhow::Result;
use lvs_tests::rig::{
    Rig,
    packet::{ACK, FIN, PSH, Packet, RST, SYN},
    way::{Gone, Way},
};

use super::recorded::Mode;

/// A connection between a client and the real server that it reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) client: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) mode: Mode,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Client,
    Server,
}

/// Segments, in turn.
pub(crate) type Dialogue = &'static [(By, u8)];

pub(crate) const CLOSE: Dialogue =
    &[(By::Client, FIN | ACK), (By::Server, ACK), (By::Server, FIN | ACK), (By::Client, ACK)];
pub(crate) const SERVER_CLOSE: Dialogue =
    &[(By::Server, FIN | ACK), (By::Client, ACK), (By::Client, FIN | ACK), (By::Server, ACK)];
pub(crate) const HALF_CLOSE: Dialogue = &[(By::Client, FIN | ACK), (By::Server, ACK)];
pub(crate) const ABORT: Dialogue = &[(By::Client, RST | ACK)];
pub(crate) const SERVER_ABORT: Dialogue = &[(By::Server, RST | ACK)];
pub(crate) const SEND: Dialogue = &[(By::Client, PSH | ACK), (By::Server, ACK)];
const ACCEPTED: Dialogue = &[(By::Server, SYN | ACK), (By::Client, ACK)];

/// How a connection or a dialogue went.
pub(crate) struct Went {
    /// Where the last packet of the client got to, or the first that got nowhere.
    pub(crate) way: Way,
    /// What is wrong with frames, or got lost.
    pub(crate) wrong: Vec<String>,
}

/// Connects: three segments, or as many as get through.
pub(crate) fn connect(
    rig: &mut Rig<'_>,
    client: SocketAddr,
    to: SocketAddr,
    mode: Mode,
) -> Result<Went> {
    let syn = Packet::tcp(client, to, SYN, b"");
    let gone = rig.request(&syn)?;
    let mut wrong: Vec<_> = gone.wrong.iter().map(|wrong| format!("{syn}: {wrong}")).collect();
    if let Way::Forwarded(server) = gone.way {
        let went = Stream { client, to, server, mode }.say(rig, ACCEPTED)?;
        wrong.extend(went.wrong);
        match went.way {
            Way::Forwarded(_) => {}
            other => wrong.push(format!("the handshake with {server} ended: {other:?}")),
        }
    }
    Ok(Went { way: gone.way, wrong })
}

/// A datagram and its answer; whether the answer came back.
pub(crate) fn ask(
    rig: &mut Rig<'_>,
    client: SocketAddr,
    to: SocketAddr,
    mode: Mode,
) -> Result<(Went, bool)> {
    let question = Packet::udp(client, to, b"?");
    let gone = rig.request(&question)?;
    let mut wrong: Vec<_> = gone.wrong.iter().map(|wrong| format!("{question}: {wrong}")).collect();
    let mut answered = false;
    if let Way::Forwarded(server) = gone.way {
        answered = true;
        if mode == Mode::Masq {
            let answer = Packet::udp(server, client, b"!");
            let translated = Packet { from: to, ..answer.clone() };
            let back = rig.reply(&answer, &translated)?;
            wrong.extend(back.wrong.map(|wrong| format!("{answer}: {wrong}")));
            answered = matches!(back.way, Way::Forwarded(_));
        }
    }
    Ok((Went { way: gone.way, wrong }, answered))
}

impl Stream {
    /// Says it segment by segment, until one does not arrive. A real server that is not told of a
    /// close still closes by itself.
    pub(crate) fn say(&self, rig: &mut Rig<'_>, dialogue: Dialogue) -> Result<Went> {
        let mut wrong = Vec::new();
        let mut way = Way::Forwarded(self.server);
        let mut told = true;
        for &(by, flags) in dialogue {
            if !told && (by, flags & FIN) != (By::Server, FIN) {
                continue;
            }
            let Some((segment, gone)) = self.send(rig, by, flags)? else { continue };
            wrong.extend(gone.wrong.map(|wrong| format!("{segment}: {wrong}")));
            if !told {
                break;
            }
            way = gone.way;
            match (by, &way) {
                (By::Client, Way::Forwarded(server)) if *server != self.server => {
                    wrong.push(format!(
                        "{segment} went to {server}, the connection is {}'s",
                        self.server
                    ));
                }
                (_, Way::Forwarded(_)) => {}
                (By::Client, _) if flags & FIN != 0 => told = false,
                _ => break,
            }
        }
        Ok(Went { way, wrong })
    }

    /// `None`: past the director.
    fn send(&self, rig: &mut Rig<'_>, by: By, flags: u8) -> Result<Option<(Packet, Gone)>> {
        let data: &[u8] = if flags & PSH == 0 { b"" } else { b"data" };
        match by {
            By::Client => {
                let segment = Packet::tcp(self.client, self.to, flags, data);
                let gone = rig.request(&segment)?;
                Ok(Some((segment, gone)))
            }
            By::Server if self.mode != Mode::Masq => Ok(None),
            By::Server => {
                let segment = Packet::tcp(self.server, self.client, flags, data);
                let translated = Packet { from: self.to, ..segment.clone() };
                let gone = rig.reply(&segment, &translated)?;
                Ok(Some((segment, gone)))
            }
        }
    }
}
