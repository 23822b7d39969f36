//! A million connections at once: opened, counted, listed, forgotten.

#![expect(clippy::print_stdout, reason = "prints its figures")]

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use lvs_ctl::director::ConnectionQuery;
use lvs_tests::rig::{
    Action, Place, Rig,
    burst::Burst,
    packet::{ACK, FIN, SYN},
};

use crate::{sender::VIP, threads::THREADS};

const CONNECTIONS: u32 = 1_000_000;
const REAL_SERVERS: u32 = 16;

/// In which the controller has looked at all of them.
const LIMIT: Duration =
    if cfg!(debug_assertions) { Duration::from_secs(20) } else { Duration::from_secs(2) };

#[test]
fn a_million_connections_are_opened_counted_and_forgotten() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, CONNECTIONS).unwrap();
    rig.must("ipvsadm --set 100 50 20").unwrap();
    rig.must("ipvsadm -A -t 192.168.4.5:80 -s wlc").unwrap();
    for server in 1..=REAL_SERVERS {
        rig.must(&format!("ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.{}:80 -g", 10 + server))
            .unwrap();
    }
    let start = Instant::now();
    open(&rig);
    println!("{CONNECTIONS} connections opened in {:.1?}", start.elapsed());

    // A quarter has said FIN; the others are established or half open.
    let counted = rows(&mut rig);
    assert_eq!(sums(&counted), [CONNECTIONS / 4 * 3, CONNECTIONS / 4], "{counted:?}");
    // wlc: none has more than another, but for those that several threads sent to at once.
    let loads = || counted.iter().map(|[active, inactive]| 257 * active + inactive);
    let (most, least) = (loads().max().unwrap(), loads().min().unwrap());
    assert!(most - least < 257 * 64, "{counted:?}");

    look_while_packets_go_on(&rig);

    let time = rig.time();
    // What is half open ends after a minute, TIME_WAIT after two, what is established as was said.
    time.advance(Duration::from_secs(70));
    rig.sweep();
    assert_eq!(sums(&rows(&mut rig)), [CONNECTIONS / 4, CONNECTIONS / 4]);
    time.advance(Duration::from_secs(70));
    rig.sweep();
    assert_eq!(rows(&mut rig), vec![[0, 0]; REAL_SERVERS as usize]);
    assert_eq!(rig.connections().len(), 0);
}

/// Opens all, several threads at once.
fn open(rig: &Rig<'_>) {
    let share = CONNECTIONS / u32::from(THREADS);
    let bursts: Vec<_> =
        (0..THREADS).map(|_| [SYN, ACK, FIN | ACK].map(|flags| burst(rig, flags))).collect();
    thread::scope(|scope| {
        for (first, [mut syn, mut ack, mut fin]) in (0..).step_by(share as usize).zip(bursts) {
            scope.spawn(move || {
                for number in first..first + share {
                    let client = client(number);
                    // One that loses a race is sent again, as TCP does.
                    let opened = (0..3).any(|_| syn.send(client).unwrap() == Action::Sent);
                    assert!(opened, "no place for {client}");
                    match number % 4 {
                        0 => assert_eq!(fin.send(client).unwrap(), Action::Sent),
                        1 => assert_eq!(ack.send(client).unwrap(), Action::Sent),
                        _ => {}
                    }
                }
            });
        }
    });
}

/// Looks at all connections, and at those of one state, while somebody sends.
fn look_while_packets_go_on(rig: &Rig<'_>) {
    let mut ack = burst(rig, ACK);
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let client = client(1);
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(ack.send(client).unwrap(), Action::Sent);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (mut all, mut established) = (0, 0);
        let start = Instant::now();
        rig.each_connection(&ConnectionQuery::default(), &mut |_| all += 1);
        let took = start.elapsed();
        let query =
            ConnectionQuery { state: Some("ESTABLISHED".to_owned()), ..ConnectionQuery::default() };
        rig.each_connection(&query, &mut |_| established += 1);
        stop.store(true, Ordering::Relaxed);
        println!("{all} connections looked at in {took:.1?}, beside {sent:?} packets");
        assert_eq!((all, established), (CONNECTIONS, CONNECTIONS / 4));
        assert!(took < LIMIT, "{took:.1?} for {all} connections");
        assert!(sent.load(Ordering::Relaxed) > 1000, "packets waited for the listing");
    });
}

fn burst(rig: &Rig<'_>, flags: u8) -> Burst {
    Burst::new(rig, SocketAddr::new(VIP.into(), 80), flags).unwrap()
}

fn client(number: u32) -> SocketAddrV4 {
    let address = Ipv4Addr::from_bits((10 << 24) + number / 32_768);
    SocketAddrV4::new(address, u16::try_from(1024 + number % 32_768).unwrap())
}

/// Active and inactive connections of each real server, as `ipvsadm -Ln` prints them.
fn rows(rig: &mut Rig<'_>) -> Vec<[u32; 2]> {
    let listing = rig.must("ipvsadm -Ln").unwrap();
    let rows = listing.lines().filter_map(|line| line.trim_start().strip_prefix("-> 192"));
    let counts = |row: &str| {
        let words: Vec<_> = row.split_whitespace().collect();
        [words[3], words[4]].map(|word| word.parse().unwrap())
    };
    rows.map(counts).collect()
}

fn sums(rows: &[[u32; 2]]) -> [u32; 2] {
    [0, 1].map(|column| rows.iter().map(|row| row[column]).sum())
}
