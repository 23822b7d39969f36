//! A million connections, from the controller over its socket to the lines of ipvsadm.
//!
//! With optimisation within two seconds: `cargo test --release -p lvs-ctl --test listing -- --nocapture`.

#![expect(clippy::print_stdout, reason = "prints its figures")]

mod common;

use std::{
    io::{self, Write},
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use common::Scratch;
use lvs_ctl::{
    api::client::{Client, Controller},
    cli::{
        ipvsadm::{self, Program, Streams},
        names::System,
    },
    director::ConnectionQuery,
    model::{Connection, Peer, Protocol, ServiceId},
};

const CONNECTIONS: u32 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
const LIMIT: Duration =
    if cfg!(debug_assertions) { Duration::from_secs(20) } else { Duration::from_secs(2) };

/// Counts what is written to it.
#[derive(Default)]
struct Sink {
    lines: usize,
    bytes: usize,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines += bytes.split(|byte| *byte == b'\n').count() - 1;
        self.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_connection_is_a_line_of_ipvsadm_within_two_seconds() {
    let scratch = full();
    let (mut client, mut output) = (scratch.client(), Sink::default());
    let streams = Streams { input: &mut io::empty(), output: &mut output, error: &mut io::sink() };
    let start = Instant::now();
    let words = ["-Lnc".to_owned()];
    let exit = ipvsadm::run(Program::Ipvsadm, &words, streams, &System::default(), Ok(&mut client));
    let took = start.elapsed();
    println!("{} lines, {} bytes in {took:.2?}", output.lines, output.bytes);
    assert_eq!((exit, output.lines), (0, CONNECTIONS as usize + 2));
    assert!(took < LIMIT, "{took:.2?}");
}

#[test]
fn what_is_not_wanted_does_not_leave_the_controller() {
    let scratch = full();
    let mut client = scratch.client();
    let web = |port| ServiceId::Address {
        protocol: Protocol::Tcp,
        address: Ipv4Addr::new(192, 168, 4, 5).into(),
        port,
    };
    let wanted = [
        (ConnectionQuery { service: Some(web(443)), ..ConnectionQuery::default() }, 0),
        (ConnectionQuery { state: Some("CLOSE".into()), ..ConnectionQuery::default() }, 0),
        (
            ConnectionQuery {
                service: Some(web(80)),
                client: Some(Ipv4Addr::new(10, 0, 0, 1).into()),
                ..ConnectionQuery::default()
            },
            32_768,
        ),
        (ConnectionQuery { limit: Some(7), ..ConnectionQuery::default() }, 7),
    ];
    for (query, expected) in wanted {
        let start = Instant::now();
        assert_eq!(count(&mut client, &query), expected, "{query:?}");
        println!("{expected} of {CONNECTIONS} in {:.2?}", start.elapsed());
    }
}

#[test]
fn a_reader_that_goes_away_or_rests_holds_nobody_up() {
    let scratch = full();
    let (mut reader, mut other) = (scratch.client(), scratch.client());
    let mut shown = 0;
    reader
        .connections(&ConnectionQuery::default(), &mut |_| {
            shown += 1;
            if shown == 1000 {
                // Rests: another one is served meanwhile.
                let other = &mut other;
                let look = move || count(other, &ConnectionQuery::default());
                let counted = thread::scope(|scope| scope.spawn(look).join().unwrap());
                assert_eq!(counted, CONNECTIONS as usize);
            }
            shown < 2000
        })
        .unwrap();
    assert_eq!(shown, 2000);
    drop(reader);
    assert_eq!(count(&mut other, &ConnectionQuery::default()), CONNECTIONS as usize);
}

/// A controller with very many connections.
fn full() -> Scratch {
    let scratch = Scratch::start();
    let peer = |address: Ipv4Addr, port: u32| Peer {
        address: address.into(),
        port: u16::try_from(port).unwrap(),
    };
    let connection = |number: u32| Connection {
        protocol: Some(Protocol::Tcp),
        state: "ESTABLISHED".into(),
        client: peer(
            Ipv4Addr::from_bits((10 << 24) + (number >> 15) + 1),
            1024 + (number & 0x7fff),
        ),
        vip: peer(Ipv4Addr::new(192, 168, 4, 5), 80),
        dest: peer(Ipv4Addr::new(192, 168, 2, 11), 8080),
        expires_s: number % 900,
        engine: None,
    };
    scratch.plane.state().connections = (0..CONNECTIONS).map(connection).collect();
    scratch
}

fn count(client: &mut Client, query: &ConnectionQuery) -> usize {
    let mut shown = 0;
    client
        .connections(query, &mut |_| {
            shown += 1;
            true
        })
        .unwrap();
    shown
}
