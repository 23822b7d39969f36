//! Listings of the real ipvsadm after traffic, given a data plane that counted the same.

mod common;

use std::{fs, path::Path};

use common::{FixedNames, Scratch};
use lvs_ctl::{
    api::client::Client,
    cli::ipvsadm::{self, Program, Streams},
    model::{Connection, Counters, DestAddr, Load, Peer, Protocol, ServiceId},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    commands: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    after: String,
    argv: Vec<String>,
    stdout: String,
}

fn run(client: &mut Client, words: &[String]) -> String {
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let streams = Streams { input: &mut &b""[..], output: &mut output, error: &mut error };
    ipvsadm::run(Program::Ipvsadm, words, streams, &FixedNames::recorded(), Ok(client));
    assert_eq!(String::from_utf8_lossy(&error), "", "{words:?}");
    String::from_utf8(output).unwrap()
}

fn dns() -> ServiceId {
    let address = "192.168.4.5".parse().unwrap();
    ServiceId::Address { protocol: Protocol::Udp, address, port: 53 }
}

fn peer(text: &str) -> Peer {
    let socket: std::net::SocketAddr = text.parse().unwrap();
    Peer { address: socket.ip(), port: socket.port() }
}

/// The real servers of a listing with the numbers behind them.
fn dests(listing: &str) -> Vec<(DestAddr, Vec<u64>)> {
    let lines = listing.lines().filter(|line| line.starts_with("  -> 1"));
    lines
        .map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let Peer { address, port } = peer(words.next().unwrap());
            (DestAddr { address, port }, words.filter_map(|word| word.parse().ok()).collect())
        })
        .collect()
}

fn connections(listing: &str) -> Vec<Connection> {
    let lines = listing.lines().skip(2).map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .map(|words| {
            let (minutes, seconds) = words[1].split_once(':').unwrap();
            Connection {
                protocol: Some(Protocol::Udp),
                state: words[2].to_owned().into(),
                client: peer(words[3]),
                vip: peer(words[4]),
                dest: peer(words[5]),
                expires_s: minutes.parse::<u32>().unwrap() * 60 + seconds.parse::<u32>().unwrap(),
                engine: None,
            }
        })
        .collect()
}

/// Lets the data plane have counted, beyond `base`, what the steps show.
fn count(scratch: &Scratch, base: &[(DestAddr, Counters)], steps: &[&Step]) {
    let shown = |options: &[&str]| {
        let step = steps.iter().find(|step| step.argv[1..] == *options);
        step.map_or("", |step| step.stdout.as_str())
    };
    let mut state = scratch.plane.state();
    for (addr, numbers) in dests(shown(&["-Ln", "--stats", "--exact"])) {
        let [conns, in_packets, out_packets, in_bytes, out_bytes] = numbers[..] else {
            panic!("{numbers:?}")
        };
        let counters = Counters { conns, in_packets, out_packets, in_bytes, out_bytes };
        let before = base.iter().find(|(known, _)| *known == addr);
        let before = before.map(|(_, counters)| *counters).unwrap_or_default();
        state.counters.insert((dns(), addr), before + counters);
    }
    let small = |number: u64| u32::try_from(number).unwrap();
    for (addr, numbers) in dests(shown(&["-Ln"])) {
        let load =
            Load { active: small(numbers[1]), inactive: small(numbers[2]), ..Load::default() };
        state.loads.insert((dns(), addr), load);
    }
    for (addr, numbers) in dests(shown(&["-Ln", "--persistent-conn"])) {
        state.loads.entry((dns(), addr)).or_default().persistent = small(numbers[1]);
    }
    state.connections = connections(shown(&["-Lnc"]));
}

#[test]
fn listings_after_traffic_are_matched_to_the_byte() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/oracle/state/counters.json");
    let cases: Vec<Case> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for Case { name, commands, steps } in cases {
        let scratch = Scratch::start();
        let mut client = scratch.client();
        let mut line = |line: &str| {
            let words: Vec<String> = line.split(' ').skip(1).map(str::to_owned).collect();
            run(&mut client, &words)
        };
        for command in &commands {
            line(command);
        }
        let mut base = Vec::new();
        let mut rest: &[Step] = &steps;
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|step| step.after == first.after).count();
            let (now, later) = rest.split_at(same);
            rest = later;
            if first.after.starts_with("-Z") {
                line("ipvsadm -Z");
                base = (scratch.plane.state().counters.iter())
                    .map(|((_, addr), counters)| (*addr, *counters))
                    .collect();
            }
            count(&scratch, &base, &now.iter().collect::<Vec<_>>());
            for step in now {
                let seen = line(&step.argv.join(" "));
                assert_eq!(seen, step.stdout, "{name}, after {}: {:?}", step.after, step.argv);
            }
        }
    }
}
