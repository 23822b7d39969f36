//! Which way a packet went, and whether every byte of it is as it must be there.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;

use super::{
    Fate, Rig, Side,
    packet::{self, IPIP, Packet, Seen, What},
    place,
};

/// What became of a client's packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It reached a real server, there on this port.
    Forwarded(SocketAddr),
    /// There is no real server: the client is told that the port is unreachable.
    Refused,
    /// Dropped for another reason.
    Dropped,
    /// The host's own stack has it.
    Passed,
}

/// A way, and what is wrong with the frame that went it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The way.
    pub way: Way,
    /// The frame that left, if one did.
    pub seen: Option<Seen>,
    /// How the frame differs from what it must be.
    pub wrong: Option<String>,
}

impl Rig<'_> {
    /// Sends a client's packet.
    ///
    /// # Errors
    /// The kernel does not run the program.
    pub fn request(&mut self, packet: &Packet) -> Result<Gone> {
        let fate = self.send(Side::Clients, packet)?;
        let no_dest = self.reason("no_dest");
        let refused = no_dest > std::mem::replace(&mut self.no_dest, no_dest);
        let gone = match fate {
            Fate::Sent(frame) if refused => {
                let wrong = unchanged(&frame, &self.refusal(packet));
                Gone { way: Way::Refused, seen: Seen::read(&frame), wrong }
            }
            Fate::Sent(frame) => self.sent(packet, &frame),
            Fate::Passed(frame) => Gone {
                way: Way::Passed,
                seen: None,
                wrong: unchanged(&frame, &self.arriving(Side::Clients, packet)),
            },
            Fate::Dropped => {
                let way = if refused { Way::Refused } else { Way::Dropped };
                Gone { way, seen: None, wrong: None }
            }
        };
        Ok(gone)
    }

    /// Sends a real server's packet to a client; `to_client` is what the client must see of it.
    /// [`Way::Forwarded`] is then the client's address.
    ///
    /// # Errors
    /// The kernel does not run the program.
    pub fn reply(&mut self, packet: &Packet, to_client: &Packet) -> Result<Gone> {
        let gone = match self.send(Side::Servers, packet)? {
            Fate::Sent(frame) => Gone {
                way: Way::Forwarded(packet.to),
                seen: Seen::read(&frame),
                wrong: unchanged(
                    &frame,
                    &self.outward(Side::Clients, super::router(), &to_client.routed()),
                ),
            },
            Fate::Passed(frame) => Gone {
                way: Way::Passed,
                seen: None,
                wrong: unchanged(&frame, &self.arriving(Side::Servers, packet)),
            },
            Fate::Dropped => Gone { way: Way::Dropped, seen: None, wrong: None },
        };
        Ok(gone)
    }

    fn sent(&self, packet: &Packet, frame: &[u8]) -> Gone {
        let Some(seen) = Seen::read(frame) else {
            let wrong = Some(format!("a frame that nobody can read: {}", hex(frame)));
            return Gone { way: Way::Dropped, seen: None, wrong };
        };
        let (way, expected) = match seen.what {
            What::Tcp(_, port, _) | What::Udp(_, port) if seen.to != packet.to.ip() => {
                let server = SocketAddr::new(seen.to, port);
                let rewritten = Packet { to: server, ..packet.clone() };
                (Way::Forwarded(server), Some((server.ip(), rewritten)))
            }
            What::Other(IPIP) => {
                let at = SocketAddr::new(seen.to, packet.to.port());
                let carried = packet.routed().carried(place::DIP, seen.to);
                let ours =
                    [&packet::mac_of(seen.to)[..], &self.interface(Side::Servers).mac].concat();
                let wrong = unchanged(frame, &[ours, vec![8, 0], carried].concat());
                return Gone { way: Way::Forwarded(at), seen: Some(seen), wrong };
            }
            What::Tcp(..) | What::Udp(..) => {
                let Some(server) = self.owner(&seen) else {
                    let wrong = Some(format!("{seen} went to a MAC of nobody, {:02x?}", seen.mac));
                    return Gone { way: Way::Dropped, seen: Some(seen), wrong };
                };
                let at = SocketAddr::new(server, packet.to.port());
                (Way::Forwarded(at), Some((server, packet.clone())))
            }
            _ => (Way::Forwarded(SocketAddr::new(seen.to, packet.to.port())), None),
        };
        let wrong = expected.and_then(|(server, packet)| {
            let mac = packet::mac_of(server);
            unchanged(frame, &self.outward(Side::Servers, mac, &packet.routed()))
        });
        Gone { way, seen: Some(seen), wrong }
    }

    /// The real server that a frame's MAC is of.
    fn owner(&self, seen: &Seen) -> Option<IpAddr> {
        let known = self.known.iter();
        known.copied().find(|address| packet::mac_of(*address) == seen.mac)
    }
}

pub(super) fn unchanged(frame: &[u8], expected: &[u8]) -> Option<String> {
    (frame != expected).then(|| format!("expected {}\n     got      {}", hex(expected), hex(frame)))
}

/// At most the headers: data is made of nothing much.
fn hex(frame: &[u8]) -> String {
    let text: Vec<_> = frame.iter().take(96).map(|byte| format!("{byte:02x}")).collect();
    text.join("")
}
