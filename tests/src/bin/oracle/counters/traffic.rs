//! Traffic as recordings tell it in words.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, bail, ensure};
use lvs_tests::rig::{Rig, packet::Packet, way::Way};

/// IP and UDP headers.
const HEADERS: usize = 28;

/// The traffic of a case.
pub(super) struct Traffic {
    /// The service.
    pub(super) vip: SocketAddr,
    clients: Vec<SocketAddr>,
    /// Datagrams of each client port.
    each: usize,
    payload: usize,
    /// Replies of each real server to its first client port, and their payload.
    replies: Option<(usize, usize)>,
    masqueraded: bool,
}

impl Traffic {
    /// Understands it.
    ///
    /// # Errors
    /// It is told in words that nobody knows.
    pub(super) fn read(words: &str, commands: &[String]) -> Result<Self> {
        let vip = vip(commands)?;
        let masqueraded =
            commands.iter().any(|line| line.ends_with(" -m") || line.contains(" -m "));
        let base =
            Self { vip, clients: Vec::new(), each: 1, payload: 1, replies: None, masqueraded };
        let numbers = numbers(words);
        if words.contains(" client ports x ") {
            let [ports, each, payload, ..] = numbers[..] else { bail!("how many? `{words}`") };
            let replies = words.find(" sends ").map(|at| self::numbers(&words[at..]));
            let replies = replies.and_then(|it| Some((*it.first()?, *it.get(1)?)));
            let clients = (1..=ports).map(|port| client(1, 5000 + port)).collect::<Result<_>>()?;
            return Ok(Self { clients, each, payload, replies, ..base });
        }
        if words.starts_with("clients 10.0.0.1..") {
            let last = numbers.get(4).copied().context("how many clients?")?;
            ensure!(words.contains("two client ports each, one datagram per port"), "`{words}`");
            let ends = (1..=last).flat_map(|host| [client(host, 6001), client(host, 6002)]);
            return Ok(Self { clients: ends.collect::<Result<_>>()?, ..base });
        }
        if let Some(rest) = words.strip_prefix("pktgen: N packets of ") {
            // Bytes on the wire include the Ethernet header.
            let wire = *self::numbers(rest).first().context("of how many bytes?")?;
            return Ok(Self { clients: vec![client(1, 9)?], payload: wire - 14 - HEADERS, ..base });
        }
        bail!("traffic that is not understood: `{words}`")
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// A packet did not reach a real server.
    pub(super) fn send(&self, rig: &mut Rig<'_>) -> Result<()> {
        let mut firsts: Vec<(SocketAddr, SocketAddr)> = Vec::new();
        for client in &self.clients {
            for _ in 0..self.each {
                let server = self.datagram(rig, *client)?;
                if firsts.iter().all(|(known, _)| *known != server) {
                    firsts.push((server, *client));
                }
            }
        }
        let Some((count, payload)) = self.replies.filter(|_| self.masqueraded) else {
            return Ok(());
        };
        for (server, client) in firsts {
            let answer = Packet::udp(server, client, &vec![0; payload]);
            let translated = Packet { from: self.vip, ..answer.clone() };
            for _ in 0..count {
                let gone = rig.reply(&answer, &translated)?;
                ensure!(
                    gone.wrong.is_none() && gone.way == Way::Forwarded(client),
                    "{answer}: {gone:?}"
                );
            }
        }
        Ok(())
    }

    /// Sends one more datagram from each client port.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(super) fn once_more(&self, rig: &mut Rig<'_>) -> Result<()> {
        self.clients.iter().try_for_each(|client| self.datagram(rig, *client).map(drop))
    }

    /// Sends so many datagrams from the first client port, over the wire.
    ///
    /// # Errors
    /// One got lost.
    pub(super) fn packets(&self, rig: &Rig<'_>, count: usize) -> Result<()> {
        let first = *self.clients.first().context("no client")?;
        let packet = Packet::udp(first, self.vip, &vec![0; self.payload]);
        rig.flood(&packet, u64::try_from(count)?)
    }

    fn datagram(&self, rig: &mut Rig<'_>, client: SocketAddr) -> Result<SocketAddr> {
        let packet = Packet::udp(client, self.vip, &vec![0; self.payload]);
        let gone = rig.request(&packet)?;
        if let Some(wrong) = gone.wrong {
            bail!("{packet}: {wrong}");
        }
        match gone.way {
            Way::Forwarded(server) => Ok(server),
            other => bail!("{packet} of {} bytes: {other:?}", self.payload + HEADERS),
        }
    }
}

/// The service that is called.
///
/// # Errors
/// There is none.
pub(super) fn vip(commands: &[String]) -> Result<SocketAddr> {
    let words = commands.iter().flat_map(|line| line.split_whitespace());
    let after = words.skip_while(|word| *word != "-u" && *word != "-t").nth(1);
    Ok(after.context("no service")?.parse()?)
}

/// All numbers in a text.
pub(super) fn numbers(words: &str) -> Vec<usize> {
    let numbers = words.split(|c: char| !c.is_ascii_digit());
    numbers.filter_map(|number| number.parse().ok()).collect()
}

fn client(host: usize, port: usize) -> Result<SocketAddr> {
    let address = Ipv4Addr::new(10, 0, 0, u8::try_from(host)?);
    Ok(SocketAddr::new(address.into(), u16::try_from(port)?))
}
