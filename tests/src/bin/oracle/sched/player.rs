//! Plays events one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context as _, Result};
use lvs_tests::rig::{Rig, way::Way};

use super::{
    recorded::{Call, Event, Mode, Op, Recorded, Server, Settings},
    stacks::{self, Stream, Went},
};
use crate::{
    compare::Orders,
    conns::{self, Line},
};

pub(super) struct Player<'a, 'p> {
    rig: &'a mut Rig<'p>,
    case: &'a Recorded,
    /// Each service as ipvsadm names it, e.g. `-t 192.168.4.5:80`.
    services: Vec<String>,
    orders: Orders,
    streams: BTreeMap<u32, Stream>,
    /// Streams whose client was reset.
    reset: BTreeSet<u32>,
    /// Clients and what they called.
    called: BTreeSet<(SocketAddr, SocketAddr)>,
    pub(super) chosen: Vec<Option<SocketAddr>>,
}

impl<'a, 'p> Player<'a, 'p> {
    /// Sets the case's rules and switches.
    pub(super) fn set_up(rig: &'a mut Rig<'p>, case: &'a Recorded) -> Result<Self> {
        for (name, value) in &case.sysctl {
            rig.tunable(name, *value)?;
        }
        for service in &case.services {
            for prefix in &service.matches {
                rig.mark(prefix, service.mark)?;
            }
        }
        for line in &case.ipvsadm {
            rig.must(line)?;
        }
        let services = case.ipvsadm.iter().filter_map(|line| named(line)).collect();
        Ok(Self {
            rig,
            case,
            services,
            orders: Orders::new(case.services.len()),
            streams: BTreeMap::new(),
            reset: BTreeSet::new(),
            called: BTreeSet::new(),
            chosen: Vec::new(),
        })
    }

    /// What differs before anything has happened.
    pub(super) fn at_the_start(&mut self) -> Vec<String> {
        let difference = self.orders.check(self.rig, &self.case.start, false);
        difference.into_iter().map(|it| format!("at the start: {it}")).collect()
    }

    /// What differs at this event.
    pub(super) fn play(&mut self, event: &Event) -> Result<Vec<String>> {
        let mut differences = Vec::new();
        let reused = self.is_reuse(event);
        if !event.skipped {
            self.act(event, &mut differences)?;
        }
        self.rig.sweep();
        differences.extend(self.orders.check(self.rig, &event.after, reused));
        Ok(differences)
    }

    fn act(&mut self, event: &Event, differences: &mut Vec<String>) -> Result<()> {
        match &event.op {
            Op::Open { id, call } => self.open(*id, call, event, differences)?,
            Op::Udp { call } => self.ask(call, event, differences)?,
            Op::Close { id } => self.say(*id, stacks::CLOSE, differences)?,
            Op::ServerClose { id } => self.say(*id, stacks::SERVER_CLOSE, differences)?,
            Op::HalfClose { id } => self.say(*id, stacks::HALF_CLOSE, differences)?,
            Op::Abort { id } => self.say(*id, stacks::ABORT, differences)?,
            Op::ServerAbort { id } => self.say(*id, stacks::SERVER_ABORT, differences)?,
            Op::Send { id, result } => self.send(*id, result, differences)?,
            Op::Sysctl { name, value } => self.rig.tunable(name, *value)?,
            Op::Wait { seconds } => self.rig.wait(Duration::from_secs_f64(*seconds)),
            Op::Conns { list } => self.list(list, differences)?,
            Op::Weight(of) => self.command("-e", of, event, differences)?,
            Op::Thresholds(of) => {
                // What was typed is not in the recording, but what it led to.
                let shown = event.after.iter().find(|row| row.0 == of.at.to_string());
                let weight = of.weight.or(shown.map(|row| row.1));
                self.command("-e", &Server { weight, ..*of }, event, differences)?;
            }
            Op::AddServer(of) => self.command("-a", of, event, differences)?,
            Op::DelServer(of) => self.command("-d", of, event, differences)?,
            Op::EditService(settings) => self.edit(settings, event, differences)?,
        }
        Ok(())
    }

    fn open(
        &mut self,
        id: u32,
        call: &Call,
        event: &Event,
        differences: &mut Vec<String>,
    ) -> Result<()> {
        let (client, to) = self.ends(call, event)?;
        let went = stacks::connect(self.rig, client, to, self.case.mode)?;
        if let Way::Forwarded(server) = went.way {
            self.streams.insert(id, Stream { client, to, server, mode: self.case.mode });
        }
        self.compare(went, event, differences);
        Ok(())
    }

    fn ask(&mut self, call: &Call, event: &Event, differences: &mut Vec<String>) -> Result<()> {
        let (client, to) = self.ends(call, event)?;
        let (went, answered) = stacks::ask(self.rig, client, to, self.case.mode)?;
        let expected = event.chosen.is_some() && event.reply.as_deref() != Some("none");
        if matches!(went.way, Way::Forwarded(_)) && answered != expected {
            let tell = |yes: bool| if yes { "came back" } else { "did not come back" };
            differences.push(format!(
                "the answer {}, recorded: it {}",
                tell(answered),
                tell(expected)
            ));
        }
        self.compare(went, event, differences);
        Ok(())
    }

    fn say(
        &mut self,
        id: u32,
        dialogue: stacks::Dialogue,
        differences: &mut Vec<String>,
    ) -> Result<()> {
        let stream =
            self.streams.get(&id).with_context(|| format!("connection {id} never opened"))?;
        differences.extend(stream.say(self.rig, dialogue)?.wrong);
        Ok(())
    }

    fn send(&mut self, id: u32, result: &str, differences: &mut Vec<String>) -> Result<()> {
        let stream =
            self.streams.get(&id).with_context(|| format!("connection {id} never opened"))?;
        let was_reset = self.reset.contains(&id);
        let mut arrived = false;
        if !was_reset {
            let went = stream.say(self.rig, stacks::SEND)?;
            arrived = matches!(went.way, Way::Forwarded(_));
            if went.way == Way::Passed {
                self.reset.insert(id);
            }
            differences.extend(went.wrong);
        }
        if arrived != (result == "ok") {
            let got = if arrived { "it arrived" } else { "it did not arrive" };
            differences.push(format!("sent: expected {result}, got: {got}"));
        }
        Ok(())
    }

    fn list(&mut self, recorded: &[Line], differences: &mut Vec<String>) -> Result<()> {
        let ours = conns::read(&self.rig.must("ipvsadm -Lnc")?)?;
        if !conns::agree(&ours, recorded, true) {
            differences.push(format!("connections:\n{}", conns::side_by_side(&ours, recorded)));
        }
        Ok(())
    }

    /// `ipvsadm -a`, `-e` or `-d` of a real server.
    fn command(
        &mut self,
        verb: &str,
        of: &Server,
        event: &Event,
        differences: &mut Vec<String>,
    ) -> Result<()> {
        let service = self.services.get(event.service).context("no such service")?;
        let mut line = format!("ipvsadm {verb} {service} -r {}", of.at);
        if verb != "-d" {
            line += match self.case.mode {
                Mode::Masq => " -m",
                Mode::Route => " -g",
                Mode::Tunnel => " -i",
            };
            for (option, value) in [(" -w ", of.weight), (" -x ", of.u), (" -y ", of.l)] {
                line += &value.map_or_else(String::new, |value| format!("{option}{value}"));
            }
        }
        self.type_in(&line, event, differences);
        Ok(())
    }

    fn edit(&mut self, to: &Settings, event: &Event, differences: &mut Vec<String>) -> Result<()> {
        let service = self.services.get(event.service).context("no such service")?;
        let given = [
            ("-b", Some(to.flags.join(",")).filter(|flags| !flags.is_empty())),
            ("-p", to.persist.map(|seconds| seconds.to_string())),
            ("-M", to.netmask.as_ref().map(|mask| mask.to_string().trim_matches('"').to_owned())),
            ("-o", to.ops.then(String::new)),
        ];
        let options = given.map(|(option, value)| {
            value.map_or_else(String::new, |value| format!(" {option} {value}"))
        });
        let line = format!("ipvsadm -E {service} -s {}{}", to.scheduler, options.concat());
        self.type_in(&line, event, differences);
        Ok(())
    }

    fn type_in(&mut self, line: &str, event: &Event, differences: &mut Vec<String>) {
        let said = self.rig.type_in(line);
        let expected = event.ipvsadm_error.as_deref().unwrap_or_default().trim();
        let (exit, error) = (said.exit, said.error.trim());
        if (exit == 0) != expected.is_empty() || !error.contains(expected) {
            differences
                .push(format!("`{line}`: expected `{expected}`, got exit {exit}, `{error}`"));
        }
    }

    fn ends(&self, call: &Call, event: &Event) -> Result<(SocketAddr, SocketAddr)> {
        let service = self.case.services.get(event.service).context("no such service")?;
        let address = call.dst.or(service.addr).context("nobody is called")?;
        let to = SocketAddr::new(address, call.dport.unwrap_or(service.port));
        Ok((SocketAddr::new(call.client, call.cport), to))
    }

    /// Whether a client begins anew what it once had.
    fn is_reuse(&mut self, event: &Event) -> bool {
        let Op::Open { call, .. } = &event.op else { return false };
        let ends = self.ends(call, event);
        ends.is_ok_and(|ends| !self.called.insert(ends))
    }

    fn compare(&mut self, went: Went, event: &Event, differences: &mut Vec<String>) {
        differences.extend(went.wrong);
        let reached = match went.way {
            Way::Forwarded(server) => Some(server),
            _ => None,
        };
        self.chosen.push(reached);
        if reached != event.chosen {
            let name = |server: Option<SocketAddr>| {
                server.map_or_else(|| "nobody".to_owned(), |server| server.to_string())
            };
            differences.push(format!(
                "reached {} ({:?}), expected {}",
                name(reached),
                went.way,
                name(event.chosen)
            ));
        } else if let Some(error) = event.error.as_deref().filter(|_| reached.is_none()) {
            // A client is refused by the director, or by its host where there is no service.
            let refused = matches!(went.way, Way::Refused | Way::Passed);
            if refused != (error == "ECONNREFUSED") {
                differences.push(format!("expected {error}, got {:?}", went.way));
            }
        }
    }
}

/// The service that a line adds, as it names it.
fn named(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().skip_while(|word| *word != "-A").skip(1);
    let (kind, name) = (words.next()?, words.next()?);
    let family = if words.next() == Some("-6") { " -6" } else { "" };
    Some(format!("{kind} {name}{family}"))
}
