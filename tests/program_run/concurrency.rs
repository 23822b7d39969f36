//! Several threads send at once while the sweeper ends connections and the clock runs: nothing is lost, doubled
//! or torn, and the counters say what stands in the table.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use aya::programs::Xdp;
use lvs_tests::rig::{
    Fate, Place, Rig, Side,
    packet::{ACK, FIN, Packet, RST, SYN, Seen, What},
    run,
};

const THREADS: u16 = 4;

/// How long each test sends.
const SPELL: Duration = Duration::from_secs(3);

const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 5);

/// What a thread sends with.
struct Sender {
    program: Xdp,
    clients: u32,
    servers: u32,
    arriving: [[u8; 6]; 2],
}

#[test]
fn threads_with_clients_of_their_own_lose_no_connection() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 65_536).unwrap();
    set_up(&mut rig);
    let opened = AtomicU64::new(0);
    in_threads(&rig, Duration::ZERO, |number, sender, stop| {
        let mut port = 1024;
        while !stop.load(Ordering::Relaxed) {
            // Ports come round again after their connection was closed.
            let client = client(number, port);
            port = if port == 60_000 { 1024 } else { port + 1 };
            let server = sender.open(client).expect("there is room");
            opened.fetch_add(1, Ordering::Relaxed);
            for flags in [ACK, ACK, ACK] {
                assert_eq!(sender.request(client, flags), Some(server), "{client} lost its server");
            }
            assert!(sender.reply(server, client, ACK), "{server}'s answer to {client} got lost");
            if port % 3 == 0 {
                assert_eq!(sender.request(client, FIN | ACK), Some(server));
                assert!(sender.reply(server, client, FIN | ACK));
            } else if port % 3 == 1 {
                assert_eq!(sender.request(client, RST), Some(server));
            }
        }
    });
    let opened = opened.into_inner();
    assert!(opened > 1000, "only {opened} connections: the test is too slow to say anything");
    assert_counts_are_the_tables(&rig);
    assert_eq!(connections_counted(&mut rig), opened);
    assert_ends_empty(&rig);
}

#[test]
fn threads_that_open_the_same_connections_agree_on_their_real_servers() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 131_072).unwrap();
    set_up(&mut rig);
    let agreed: Vec<AtomicU32> = (0..200_000).map(|_| AtomicU32::new(0)).collect();
    let tickets = AtomicUsize::new(0);
    in_threads(&rig, Duration::ZERO, |_, sender, stop| {
        while !stop.load(Ordering::Relaxed) {
            // As many tickets for a client as there are threads: they use them at the same moment.
            let ticket = tickets.fetch_add(1, Ordering::Relaxed) / usize::from(THREADS);
            let Some(agreed) = agreed.get(ticket) else { break };
            let (number, port) = (ticket / 50_000, 2048 + ticket % 50_000);
            let client = client(u16::try_from(number).unwrap(), u16::try_from(port).unwrap());
            // One that loses a race is dropped; TCP would send it again.
            let Some(server) = (0..3).find_map(|_| sender.request(client, SYN)) else { continue };
            let SocketAddr::V4(at) = server else { unreachable!("IPv4 only") };
            let found = at.ip().to_bits();
            let before = agreed.compare_exchange(0, found, Ordering::AcqRel, Ordering::Acquire);
            let before = before.unwrap_or_else(|before| before);
            assert!(before == 0 || before == found, "{client} has two real servers");
        }
    });
    let reached = agreed.iter().filter(|it| it.load(Ordering::Relaxed) != 0).count();
    assert!(reached > 1000, "only {reached} connections: the test is too slow to say anything");
    assert_counts_are_the_tables(&rig);
    assert_eq!(connections_counted(&mut rig), u64::try_from(reached).unwrap());
    assert_ends_empty(&rig);
}

#[test]
fn a_full_table_and_a_running_clock_leave_the_counts_right() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 256).unwrap();
    set_up(&mut rig);
    // More than half a second a round: connections end under the hands of those that use them.
    in_threads(&rig, Duration::from_millis(600), |number, sender, stop| {
        let mut state = u64::from(number) + 1;
        while !stop.load(Ordering::Relaxed) {
            // Numerical Recipes' generator: any will do.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let [a, b, c, ..] = state.to_be_bytes();
            // Half of the clients are everybody's.
            let number = if c & 1 == 0 { number } else { 9 };
            let client = client(number, 1024 + u16::from_be_bytes([a & 7, b]));
            let flags = [SYN, SYN, ACK, ACK, FIN | ACK, RST][usize::from(c) % 6];
            if let Some(server) = sender.request(client, flags)
                && c & 2 != 0
            {
                sender.reply(server, client, if flags == SYN { SYN | ACK } else { flags });
            }
        }
    });
    assert_counts_are_the_tables(&rig);
    assert_ends_empty(&rig);
}

/// Runs `body` in threads until the spell is over, with the sweeper going round and round; after each round, so
/// much time passes.
fn in_threads(rig: &Rig<'_>, tick: Duration, body: impl Fn(u16, &Sender, &AtomicBool) + Sync) {
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<Sender> = (0..THREADS).map(|_| Sender::new(rig)).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .zip(&senders)
            .map(|(number, sender)| {
                let (body, stop) = (&body, Arc::clone(&stop));
                scope.spawn(move || body(number, sender, &stop))
            })
            .collect();
        let (sweeper, time) = (rig.sweeper(), rig.time());
        let until = Instant::now() + SPELL;
        // A thread that has panicked ends the spell for all.
        while Instant::now() < until && !threads.iter().any(thread::ScopedJoinHandle::is_finished) {
            let _swept = sweeper.sweep();
            time.advance(tick);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn set_up(rig: &mut Rig<'_>) {
    rig.must("ipvsadm -A -t 192.168.4.5:80 -s wlc").unwrap();
    for (server, weight) in [(11, 1), (12, 2), (13, 3)] {
        rig.must(&format!(
            "ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.{server}:8080 -m -w {weight}"
        ))
        .unwrap();
    }
}

fn client(number: u16, port: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    SocketAddr::new(Ipv4Addr::new(10, 0, high, low + 1).into(), port)
}

/// The counts of each real server are those of its lines in the listing, each connection stands there once, and every
/// line is of somebody who called.
fn assert_counts_are_the_tables(rig: &Rig<'_>) {
    rig.sweep();
    let mut counts = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for connection in rig.connections() {
        let (client, dest) = (connection.client, connection.dest);
        assert_eq!((connection.vip.address, connection.vip.port), (VIP.into(), 80));
        assert!(seen.insert((client.address, client.port)), "{client:?} stands twice");
        let active = ["SYN_RECV", "ESTABLISHED"].contains(&&*connection.state);
        let count: &mut (u32, u32) = counts.entry((dest.address, dest.port)).or_default();
        if active {
            count.0 += 1;
        } else {
            count.1 += 1;
        }
    }
    for entry in &rig.listing().services[0].dests {
        let addr = entry.dest.addr;
        let counted = counts.remove(&(addr.address, addr.port)).unwrap_or_default();
        assert_eq!((entry.load.active, entry.load.inactive), counted, "{addr}");
    }
    assert!(counts.is_empty(), "connections of nobody: {counts:?}");
}

fn connections_counted(rig: &mut Rig<'_>) -> u64 {
    let listing = rig.must("ipvsadm -Ln --stats --exact").unwrap();
    let line = listing.lines().find(|line| line.starts_with("TCP")).expect("the service");
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

/// Everything ends, and every count is zero then.
fn assert_ends_empty(rig: &Rig<'_>) {
    rig.time().advance(Duration::from_secs(1000));
    rig.sweep();
    assert_eq!(rig.connections().len(), 0);
    for entry in &rig.listing().services[0].dests {
        assert_eq!((entry.load.active, entry.load.inactive), (0, 0), "{}", entry.dest.addr);
    }
}

impl Sender {
    fn new(rig: &Rig<'_>) -> Self {
        let mac = |side, from: &str, to: &str| {
            let packet = Packet::udp(from.parse().unwrap(), to.parse().unwrap(), b"");
            *rig.arriving(side, &packet).first_chunk().unwrap()
        };
        Self {
            program: rig.program().unwrap(),
            clients: rig.index(Side::Clients),
            servers: rig.index(Side::Servers),
            arriving: [
                mac(Side::Clients, "10.0.0.1:1", "192.168.4.5:80"),
                mac(Side::Servers, "192.168.2.11:8080", "10.0.0.1:1"),
            ],
        }
    }

    /// Connects; a SYN that is dropped is sent again.
    fn open(&self, client: SocketAddr) -> Option<SocketAddr> {
        let server = (0..3).find_map(|_| self.request(client, SYN))?;
        assert!(self.reply(server, client, SYN | ACK), "{server}'s welcome to {client} got lost");
        Some(server)
    }

    /// The real server that a client's segment reached.
    fn request(&self, client: SocketAddr, flags: u8) -> Option<SocketAddr> {
        let packet = Packet::tcp(client, SocketAddr::new(VIP.into(), 80), flags, b"");
        let frame = packet.frame(self.arriving[0], [2; 6]);
        let Fate::Sent(frame) = run(&self.program, self.clients, &frame).unwrap() else {
            return None;
        };
        let seen = Seen::read(&frame).expect("a frame");
        let What::Tcp(from, to, seen_flags) = seen.what else { panic!("{seen}") };
        assert_eq!((SocketAddr::new(seen.from, from), seen_flags), (client, flags), "torn: {seen}");
        Some(SocketAddr::new(seen.to, to))
    }

    /// Whether a real server's segment reached the client, as the VIP's.
    fn reply(&self, server: SocketAddr, client: SocketAddr, flags: u8) -> bool {
        let packet = Packet::tcp(server, client, flags, b"");
        let frame = packet.frame(self.arriving[1], [2; 6]);
        let Fate::Sent(frame) = run(&self.program, self.servers, &frame).unwrap() else {
            return false;
        };
        let seen = Seen::read(&frame).expect("a frame").to_string();
        let translated = Packet { from: SocketAddr::new(VIP.into(), 80), ..packet };
        assert_eq!(seen, translated.to_string(), "torn");
        true
    }
}
