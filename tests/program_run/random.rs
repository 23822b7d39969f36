//! Random services, real servers and packets, through the program and through the reference.

use std::{
    cell::RefCell,
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use lvs_tests::rig::{
    Place, Rig,
    packet::{ACK, FIN, PSH, Packet, RST, SYN},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{
        Config, RngAlgorithm, TestCaseError, TestCaseResult, TestError, TestRng, TestRunner,
    },
};

use crate::reference::{
    Director,
    service::{SCHEDULERS, Service},
};

const SERVERS: u8 = 4;
const CLIENTS: u8 = 6;

/// By which the sweeper's clock may be behind the program's: what ends at a moment has ended by then.
const A_FEW_TICKS: Duration = Duration::from_millis(15);

/// Runs of random events.
const RUNS: u32 = 300;

#[derive(Clone, Debug)]
struct Setting {
    tcp: bool,
    masq: bool,
    scheduler: usize,
    /// Seconds, and bits of the netmask.
    persistence: Option<(u64, u32)>,
    /// If it is of UDP.
    one_packet: bool,
    weights: Vec<u32>,
}

#[derive(Clone, Debug)]
enum Event {
    Client { service: usize, client: u8, flags: u8 },
    Server { service: usize, client: u8, flags: u8 },
    Add { service: usize, server: u8, weight: u32 },
    Edit { service: usize, server: u8, to: (u32, u32, u32) },
    Delete { service: usize, server: u8 },
    Schedule { service: usize, scheduler: usize },
    Tunable { name: &'static str, value: u32 },
    Wait(u64),
    Set([u64; 3]),
}

#[test]
fn the_program_does_what_a_plain_director_does() {
    let place = Place::enter().unwrap();
    let rig = RefCell::new(Rig::sized(&place, 256).unwrap());
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: RUNS, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let cases = (vec(setting(), 2), vec(event(), 10..120));
    let result = runner.run(&cases, |(settings, events)| {
        let mut rig = rig.borrow_mut();
        let outcome = run(&mut rig, &settings, &events);
        rig.reset().map_err(|error| TestCaseError::fail(format!("afterwards: {error:#}")))?;
        outcome
    });
    match result {
        Ok(()) => {}
        // The story says more than the events that it was made of.
        Err(TestError::Fail(reason, _)) => panic!("{reason}"),
        Err(error) => panic!("{error}"),
    }
}

fn setting() -> impl Strategy<Value = Setting> {
    // Of other seconds than waits are: what ends when is not left to the moments that the test takes.
    let persistence =
        (prop::sample::select(vec![15u64, 35, 95, 605]), prop::sample::select(vec![32u32, 31, 8]));
    let options = (prop::option::of(persistence), prop::bool::weighted(0.3));
    (any::<bool>(), any::<bool>(), 0..SCHEDULERS.len(), options, vec(0..5u32, 0..4)).prop_map(
        |(tcp, masq, scheduler, (persistence, one_packet), weights)| {
            let one_packet = one_packet && !tcp;
            Setting { tcp, masq, scheduler, persistence, one_packet, weights }
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let flags = prop::sample::select(vec![
        SYN,
        SYN,
        SYN,
        ACK,
        ACK,
        FIN | ACK,
        FIN | ACK,
        RST,
        RST | ACK,
        SYN | ACK,
        PSH | ACK,
        PSH,
        FIN,
    ]);
    let to = (0..5u32, prop::sample::select(vec![0, 0, 1, 2, 4]), 0..3u32)
        .prop_map(|(weight, upper, lower)| (weight, upper, lower.min(upper)));
    let (service, client, server) = (0..2usize, 0..CLIENTS, 0..SERVERS);
    // Tens of seconds: what is left of any timeout is far from the moments that the test itself takes.
    let seconds = prop::sample::select(vec![10u64, 10, 20, 60, 120, 300]);
    let timeouts = prop::sample::select(vec![[900, 120, 300], [100, 50, 20], [30, 20, 10]]);
    prop_oneof![
        12 => (service.clone(), client.clone(), flags.clone())
            .prop_map(|(service, client, flags)| Event::Client { service, client, flags }),
        6 => (service.clone(), client, flags)
            .prop_map(|(service, client, flags)| Event::Server { service, client, flags }),
        2 => (service.clone(), server.clone(), 0..5u32)
            .prop_map(|(service, server, weight)| Event::Add { service, server, weight }),
        2 => (service.clone(), server.clone(), to)
            .prop_map(|(service, server, to)| Event::Edit { service, server, to }),
        1 => (service.clone(), server)
            .prop_map(|(service, server)| Event::Delete { service, server }),
        1 => (service, 0..SCHEDULERS.len())
            .prop_map(|(service, scheduler)| Event::Schedule { service, scheduler }),
        1 => (0..4u32).prop_map(|value| Event::Tunable { name: "conn_reuse_mode", value }),
        1 => (0..2u32)
            .prop_map(|value| Event::Tunable { name: "expire_quiescent_template", value }),
        1 => (0..2u32).prop_map(|value| Event::Tunable { name: "expire_nodest_conn", value }),
        2 => seconds.prop_map(Event::Wait),
        1 => timeouts.prop_map(Event::Set),
    ]
}

/// Both directors, and what was done to them.
struct Both<'r, 'p> {
    rig: &'r mut Rig<'p>,
    reference: Director,
    settings: &'r [Setting],
    story: String,
}

fn run(rig: &mut Rig<'_>, settings: &[Setting], events: &[Event]) -> TestCaseResult {
    let services = settings.iter().enumerate();
    let services = services.map(|(number, it)| {
        let scheduler = SCHEDULERS[it.scheduler];
        let mut service = Service::new(it.tcp, vip(number), it.masq, scheduler);
        (service.persistence, service.one_packet) = (it.persistence, it.one_packet);
        service
    });
    let reference = Director::new(services.collect());
    let mut both = Both { rig, reference, settings, story: String::new() };
    for (number, setting) in settings.iter().enumerate() {
        both.line(&format!("-A {}", both.description(number, setting.scheduler)));
    }
    for (number, setting) in settings.iter().enumerate() {
        for (server, weight) in (0..).zip(&setting.weights) {
            both.play(&Event::Add { service: number, server, weight: *weight })?;
        }
    }
    events.iter().try_for_each(|event| both.play(event))?;
    both.compare_connections()
}

impl Both<'_, '_> {
    fn play(&mut self, event: &Event) -> TestCaseResult {
        match *event {
            Event::Client { service, client, flags } => {
                self.request(&self.packet(service, caller(service, client), vip(service), flags))?;
            }
            Event::Server { service, client, flags } => self.reply(service, client, flags)?,
            Event::Add { service, server, weight } => self.add(service, server, weight),
            Event::Edit { service, server, to } => self.edit(service, server, to),
            Event::Delete { service, server } => self.delete(service, server),
            Event::Schedule { service, scheduler } => {
                let name = SCHEDULERS[scheduler];
                self.reference.schedule_by(service, name);
                self.line(&format!("-E {}", self.description(service, scheduler)));
            }
            Event::Tunable { name, value } => {
                writeln!(self.story, "{name} = {value}").unwrap();
                self.rig.tunable(name, value.into()).unwrap();
                let tunables = &mut self.reference.tunables;
                match name {
                    "conn_reuse_mode" => tunables.conn_reuse_mode = value,
                    "expire_nodest_conn" => tunables.expire_nodest_conn = value != 0,
                    _ => tunables.expire_quiescent_template = value != 0,
                }
            }
            Event::Wait(seconds) => self.wait(seconds),
            Event::Set(timeouts) => {
                let [tcp, fin, udp] = timeouts;
                self.line(&format!("--set {tcp} {fin} {udp}"));
                self.reference.set_timeouts(timeouts);
            }
        }
        let services = self.rig.listing().services.into_iter();
        let ours: Vec<Vec<_>> = services
            .map(|service| {
                let dests = service.dests.iter().map(|entry| {
                    let (dest, load) = (entry.dest, entry.load);
                    let (active, inactive) = (load.active, load.inactive);
                    (dest.addr.to_string(), dest.weight, active, inactive, load.persistent)
                });
                dests.collect()
            })
            .collect();
        prop_assert_eq!(ours, self.reference.rows(), "after\n{}", self.story);
        Ok(())
    }

    /// Lets tens of seconds pass, with a sweep at each 2 and 7: whatever ends ends at a 0 or a 5, and what ends
    /// together is seen together, whatever time the test itself takes.
    fn wait(&mut self, seconds: u64) {
        writeln!(self.story, "wait {seconds}").unwrap();
        let mut left = seconds;
        for step in std::iter::once(2).chain(std::iter::repeat(5)) {
            let step = step.min(left);
            left -= step;
            let ticks = if left == 0 { A_FEW_TICKS } else { Duration::ZERO };
            self.rig.pass(Duration::from_secs(step) + ticks);
            self.reference.wait(step);
            if left == 0 {
                break;
            }
        }
    }

    fn request(&mut self, packet: &Packet) -> TestCaseResult {
        writeln!(self.story, "{packet}").unwrap();
        let gone = self.rig.request(packet).unwrap();
        prop_assert_eq!(gone.way, self.reference.request(packet), "{}", self.story);
        prop_assert_eq!(gone.wrong, None, "{}", self.story);
        Ok(())
    }

    fn reply(&mut self, service: usize, client: u8, flags: u8) -> TestCaseResult {
        if !self.settings[service].masq {
            return Ok(());
        }
        let client = caller(service, client);
        let known = self.reference.server_of(client);
        let (server, to) = known.unwrap_or((self.at(service, 0), vip(service)));
        let packet = self.packet(service, server, client, flags);
        let translated = Packet { from: to, ..packet.clone() };
        writeln!(self.story, "{packet}").unwrap();
        let gone = self.rig.reply(&packet, &translated).unwrap();
        let expected = self.reference.reply(&packet);
        prop_assert_eq!(gone.way, expected, "{}", self.story);
        prop_assert_eq!(gone.wrong, None, "{}", self.story);
        Ok(())
    }

    fn add(&mut self, service: usize, server: u8, weight: u32) {
        let at = self.at(service, server);
        if !self.reference.has(service, at) {
            self.reference.add(service, at, weight);
            let method = self.method(service);
            self.line(&format!("-a {} -r {at} {method} -w {weight}", self.name(service)));
        }
    }

    fn edit(&mut self, service: usize, server: u8, to: (u32, u32, u32)) {
        let at = self.at(service, server);
        if self.reference.has(service, at) {
            self.reference.edit(service, at, to);
            let ((weight, upper, lower), method) = (to, self.method(service));
            let name = self.name(service);
            self.line(&format!("-e {name} -r {at} {method} -w {weight} -x {upper} -y {lower}"));
        }
    }

    fn delete(&mut self, service: usize, server: u8) {
        let at = self.at(service, server);
        if self.reference.has(service, at) {
            self.reference.delete(service, at);
            self.line(&format!("-d {} -r {at}", self.name(service)));
        }
    }

    fn compare_connections(&mut self) -> TestCaseResult {
        let listing = self.rig.must("ipvsadm -Lnc").unwrap();
        let mut lines: Vec<Vec<&str>> =
            listing.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        lines.sort_by_key(|words| [words[0], words[3], words[4], words[5]].join(" "));
        let mut expected = self.reference.listed();
        expected.sort();
        prop_assert_eq!(lines.len(), expected.len(), "{}{}", self.story, listing);
        for (words, (who, state, left)) in lines.iter().zip(expected) {
            prop_assert_eq!(
                [words[0], words[3], words[4], words[5]].join(" "),
                who,
                "{}",
                self.story
            );
            prop_assert_eq!(words[2], state, "{}", self.story);
            let (minutes, seconds) = words[1].split_once(':').unwrap();
            let ours = minutes.parse::<u64>().unwrap() * 60 + seconds.parse::<u64>().unwrap();
            prop_assert!(ours.abs_diff(left) <= 2, "{} left, not {left}\n{}", ours, self.story);
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        writeln!(self.story, "ipvsadm {line}").unwrap();
        self.rig.must(&format!("ipvsadm {line}")).unwrap();
    }

    fn name(&self, service: usize) -> String {
        let option = if self.settings[service].tcp { "-t" } else { "-u" };
        format!("{option} {}", vip(service))
    }

    /// The service as `-A` and `-E` want it.
    fn description(&self, service: usize, scheduler: usize) -> String {
        let Setting { persistence, one_packet, .. } = self.settings[service];
        let mut text = format!("{} -s {}", self.name(service), SCHEDULERS[scheduler]);
        if let Some((seconds, bits)) = persistence {
            let mask = Ipv4Addr::from_bits(u32::MAX << (32 - bits));
            write!(text, " -p {seconds} -M {mask}").unwrap();
        }
        if one_packet {
            text += " -o";
        }
        text
    }

    fn method(&self, service: usize) -> &'static str {
        if self.settings[service].masq { "-m" } else { "-g" }
    }

    fn at(&self, service: usize, server: u8) -> SocketAddr {
        let port = if self.settings[service].masq { 8000 } else { vip(service).port() };
        SocketAddr::new(Ipv4Addr::new(192, 168, 2, 11 + server).into(), port)
    }

    fn packet(&self, service: usize, from: SocketAddr, to: SocketAddr, flags: u8) -> Packet {
        if self.settings[service].tcp {
            Packet::tcp(from, to, flags, b"data")
        } else {
            Packet::udp(from, to, b"data")
        }
    }
}

fn vip(service: usize) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(192, 168, 4, 5).into(), if service == 0 { 80 } else { 443 })
}

/// Each service has callers of its own: a reply then is of one connection.
fn caller(service: usize, client: u8) -> SocketAddr {
    let port = 5000 + u16::try_from(service).expect("two services") * 1000 + u16::from(client);
    SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1 + client % 3).into(), port)
}
