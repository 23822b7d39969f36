//! Plays steps one by one.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, Result};
use lvs_tests::rig::{
    Rig,
    packet::Packet,
    way::{Gone, Way},
};

use super::{
    recorded::{Arrived, Listed, Mode, Proto, Recorded, Step},
    stack,
    step::{self, Act, By},
};
use crate::{
    compare::Orders,
    conns::{self, Line},
};

/// The recordings' client.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// The first real server, for one that speaks before anybody has called it.
const FIRST: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 11);

pub(super) struct Player<'a, 'p> {
    rig: &'a mut Rig<'p>,
    case: &'a Recorded,
    vip: SocketAddr,
    /// Real servers by number: `s1`, `s2`, …
    servers: Vec<SocketAddr>,
    orders: Orders,
    /// Which real server each client port reached last.
    reached: BTreeMap<u16, SocketAddr>,
}

impl<'a, 'p> Player<'a, 'p> {
    /// Sets the case's rules and switches.
    pub(super) fn set_up(rig: &'a mut Rig<'p>, case: &'a Recorded) -> Result<Self> {
        for (name, value) in &case.sysctl {
            rig.tunable(name, *value)?;
        }
        if let Some([tcp, fin, udp]) = case.timeouts {
            rig.must(&format!("ipvsadm --set {tcp} {fin} {udp}"))?;
        }
        for line in &case.commands {
            rig.must(line)?;
        }
        let option = |line: &String, names: [&str; 2]| {
            let mut words = line.split_whitespace().skip_while(|word| !names.contains(word));
            words.nth(1).and_then(|word| word.parse::<SocketAddr>().ok())
        };
        let mut commands = case.commands.iter();
        let vip = commands.find_map(|line| option(line, ["-t", "-u"])).context("no service")?;
        let named = case.commands.iter().filter_map(|line| option(line, ["-r", "-r"]));
        let mut servers: Vec<SocketAddr> = named.collect();
        servers.dedup();
        if servers.is_empty() {
            servers.push(SocketAddr::new(FIRST.into(), vip.port()));
        }
        let orders = Orders::new(case.commands.iter().filter(|line| line.contains(" -A ")).count());
        Ok(Self { rig, case, vip, servers, orders, reached: BTreeMap::new() })
    }

    /// What differs at this step.
    pub(super) fn play(&mut self, step: &Step) -> Result<Vec<String>> {
        let mut differences = Vec::new();
        let mut arrived = self.act(&step::read(&step.act)?, step, &mut differences)?;
        let mut expected = step.arrived.clone();
        arrived.sort();
        expected.sort();
        if arrived != expected {
            let text = |list: &[Arrived]| {
                let packets = list.iter().map(|it| format!("{}: {}", it.at, it.packet));
                format!("[{}]", packets.collect::<Vec<_>>().join(", "))
            };
            differences.push(format!(
                "arrived: expected {}, got {}",
                text(&expected),
                text(&arrived)
            ));
        }
        self.rig.sweep();
        differences.extend(self.compare_conns(&step.conns)?);
        differences.extend(self.orders.check(self.rig, &step.servers, false));
        Ok(differences)
    }

    /// What arrived somewhere.
    fn act(
        &mut self,
        act: &Act,
        step: &Step,
        differences: &mut Vec<String>,
    ) -> Result<Vec<Arrived>> {
        match act {
            Act::Wait(seconds) => self.rig.wait(Duration::from_secs_f64(*seconds)),
            Act::Command(line) => {
                let said = self.rig.type_in(line);
                if said.error.trim() != step.stderr.trim() {
                    differences.push(format!(
                        "it said `{}`, expected `{}`",
                        said.error.trim(),
                        step.stderr.trim()
                    ));
                }
            }
            Act::Send { by: By::Client, cport, flags, data } => {
                let packet = self.packet(client(*cport), self.vip, *flags, data);
                return self.client_sends(&packet, differences);
            }
            Act::Send { by: By::Server, cport, flags, data } => {
                let server = self.reached.get(cport).copied();
                let server = server.or(self.servers.first().copied()).context("no real server")?;
                return self.server_sends(server, *cport, *flags, data, differences);
            }
        }
        Ok(Vec::new())
    }

    fn client_sends(
        &mut self,
        packet: &Packet,
        differences: &mut Vec<String>,
    ) -> Result<Vec<Arrived>> {
        let Gone { way, seen, wrong } = self.rig.request(packet)?;
        differences.extend(wrong);
        let at_client = |packet| Arrived { at: "cl".to_owned(), packet };
        let arrived = match way {
            Way::Forwarded(server) => {
                self.reached.insert(packet.from.port(), server);
                let at = self.name(server);
                let arrived = seen.map(|seen| Arrived { at, packet: seen.to_string() });
                // The recorded real servers had no tunnel device.
                let refused = if self.case.mode == Mode::Tunnel {
                    let Gone { seen, wrong, .. } = self.rig.refuse_tunnel(packet, server.ip())?;
                    differences.extend(wrong);
                    seen.map(|seen| at_client(seen.to_string()))
                } else {
                    None
                };
                return Ok(arrived.into_iter().chain(refused).collect());
            }
            Way::Refused => Some(at_client(stack::refusal(packet))),
            Way::Passed => stack::answer(packet).map(at_client),
            Way::Dropped => None,
        };
        Ok(arrived.into_iter().collect())
    }

    fn server_sends(
        &mut self,
        server: SocketAddr,
        cport: u16,
        flags: Option<u8>,
        data: &[u8],
        differences: &mut Vec<String>,
    ) -> Result<Vec<Arrived>> {
        let client = client(cport);
        let direct = self.packet(self.vip, client, flags, data);
        let packet = if self.case.mode == Mode::Masq {
            let segment = self.packet(server, client, flags, data);
            let gone = self.rig.reply(&segment, &direct)?;
            differences.extend(gone.wrong);
            match gone.way {
                Way::Forwarded(_) => gone.seen.map(|seen| seen.to_string()),
                // The stack routes it as it is.
                Way::Passed => Some(segment.to_string()),
                _ => None,
            }
        } else {
            // Past the director.
            Some(direct.to_string())
        };
        Ok(packet.into_iter().map(|packet| Arrived { at: "cl".to_owned(), packet }).collect())
    }

    fn compare_conns(&mut self, recorded: &[Listed]) -> Result<Option<String>> {
        let listing = self.rig.must("ipvsadm -Lnc")?;
        let ours = conns::read(&listing)?;
        let theirs: Vec<Line> = recorded.iter().map(|listed| listed.says.clone()).collect();
        if !conns::agree(&ours, &theirs, false) {
            return Ok(Some(format!("connections:\n{}", conns::side_by_side(&ours, &theirs))));
        }
        let shape = |line: &str| line.replace(|c: char| c.is_ascii_digit(), "0");
        let mut ours: Vec<_> = listing.lines().skip(2).map(shape).collect();
        let mut theirs: Vec<_> = recorded.iter().map(|listed| shape(&listed.line)).collect();
        ours.sort();
        theirs.sort();
        Ok((ours != theirs).then(|| format!("columns: expected {theirs:#?}, got {ours:#?}")))
    }

    fn packet(&self, from: SocketAddr, to: SocketAddr, flags: Option<u8>, data: &[u8]) -> Packet {
        match (self.case.proto, flags) {
            (Proto::Tcp, Some(flags)) => Packet::tcp(from, to, flags, data),
            _ => Packet::udp(from, to, data),
        }
    }

    fn name(&self, server: SocketAddr) -> String {
        let number = self.servers.iter().position(|known| known.ip() == server.ip());
        number.map_or_else(|| server.to_string(), |number| format!("s{}", number + 1))
    }
}

fn client(port: u16) -> SocketAddr {
    SocketAddr::new(CLIENT.into(), port)
}
