//! A SYN flood from random sources while half of the connection table is established: nobody who is there loses
//! anything, and who comes still gets in.

#![expect(clippy::print_stdout, reason = "prints its figures")]

use std::{
    collections::{BTreeMap, VecDeque},
    env,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use lvs_ctl::model::Load;
use lvs_tests::rig::{
    Action, Place, Rig,
    burst::Burst,
    packet::{ACK, Mac, RST, SYN},
};

use crate::sender::{VIP, assert_counts_are_the_tables};

/// Connections that the table is made for: half of its places.
const EXPECTED: u32 = 16_384;

/// SYNs of the flood, unless the environment has another number: five millions take a minute and more.
const FLOOD: u64 = 600_000;
const FLOOD_VARIABLE: &str = "LVS_TEST_FLOOD";

/// Threads that flood.
const FLOODERS: u64 = 2;

/// Between the SYNs of those who are no flood: so many of the flood's.
const BETWEEN: u64 = 64;

/// Whoever stands in the table from before the flood: client and real server.
type Established = Vec<(SocketAddrV4, Mac)>;

#[test]
fn established_connections_and_new_ones_get_through_a_flood() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, EXPECTED).unwrap();
    set_up(&mut rig, "");
    let established = establish(&rig);
    let flood = env::var(FLOOD_VARIABLE).map_or(FLOOD, |number| number.parse().unwrap());
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (ack, handshake) = (burst(&rig, ACK), [SYN, ACK, RST].map(|flags| burst(&rig, flags)));
    let (dropped, rounds, all) = thread::scope(|scope| {
        let flooders: Vec<_> = (0..FLOODERS)
            .map(|number| {
                let mut random = Random::new(number);
                let mut syn = burst(&rig, SYN);
                let sent = &sent;
                scope.spawn(move || {
                    let mut dropped = 0;
                    for _ in 0..flood / FLOODERS {
                        let action = syn.send(random.source()).unwrap();
                        dropped += u64::from(action == Action::Dropped);
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    dropped
                })
            })
            .collect();
        let talking = scope.spawn(|| talk(ack, &established, &stop));
        let newcomers = scope.spawn(|| newcomers(handshake, &sent, &stop));
        let sweeper = rig.sweeper();
        while !flooders.iter().all(thread::ScopedJoinHandle::is_finished)
            && !talking.is_finished()
            && !newcomers.is_finished()
        {
            let _swept = sweeper.sweep();
            thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Ordering::Relaxed);
        let dropped = flooders.into_iter().map(|flooder| flooder.join().unwrap()).sum::<u64>();
        (dropped, talking.join().unwrap(), newcomers.join().unwrap())
    });
    println!("{} SYNs, {rounds} rounds of the established, {all:#?}", sent.into_inner());
    assert!(rounds > 0, "not even one round through the established connections");
    assert_all_are_there(&rig, &established);
    assert_counts_are_the_tables(&rig);
    // The table is full, and whoever did not get in was counted.
    let places = 2 * EXPECTED as usize;
    assert!(rig.connections().len() > places * 99 / 100, "{} connections", rig.connections().len());
    let refused: u64 = dropped + all.iter().map(|class| u64::from(class.refused)).sum::<u64>();
    assert_eq!(rig.reason("table_full") + rig.reason("racing"), refused, "{:?}", rig.reasons());
    for class in all {
        class.assert_share();
    }
}

#[test]
fn a_flood_does_not_fill_the_table_with_templates() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 2048).unwrap();
    set_up(&mut rig, " -p 600");
    let [mut syn, mut ack] = [SYN, ACK].map(|flags| burst(&rig, flags));
    let known = SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, 1), 1024);
    assert_eq!(syn.send(known).unwrap(), Action::Sent);
    let server = syn.reached();
    assert_eq!(ack.send(known).unwrap(), Action::Sent);
    let mut random = Random::new(7);
    let mut refused = 0;
    for number in 0..20_000 {
        syn.send(random.source()).unwrap();
        if number % 20 == 0 {
            let client = client(16_384 * number);
            let begins = syn.send(client).unwrap() == Action::Sent;
            refused += u32::from(!begins || ack.send(client).unwrap() != Action::Sent);
        }
    }
    assert_eq!(refused, 0, "of 1000 newcomers: {:?}", rig.reasons());
    // Who was there goes on, and its next connection goes where the first did.
    assert_eq!((ack.send(known).unwrap(), ack.reached()), (Action::Sent, server));
    let again = SocketAddrV4::new(*known.ip(), 1025);
    assert_eq!((syn.send(again).unwrap(), syn.reached()), (Action::Sent, server));
    rig.wait(Duration::from_secs(2000));
    let load = rig.listing().services[0].dests.iter().map(|entry| entry.load).collect::<Vec<_>>();
    assert!(load.iter().all(|load| *load == Load::default()), "{load:?}");
}

/// Real servers by direct routing; `options` are the service's.
fn set_up(rig: &mut Rig<'_>, options: &str) {
    rig.must(&format!("ipvsadm -A -t 192.168.4.5:80 -s wlc{options}")).unwrap();
    for server in 11..=14 {
        rig.must(&format!("ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.{server}:80 -g")).unwrap();
    }
}

fn burst(rig: &Rig<'_>, flags: u8) -> Burst {
    Burst::new(rig, SocketAddr::new(VIP.into(), 80), flags).unwrap()
}

/// Clients of 10.0.0.0/8, where the flood does not come from.
fn client(number: u32) -> SocketAddrV4 {
    let address = Ipv4Addr::from_bits((10 << 24) + number / 16_384);
    SocketAddrV4::new(address, u16::try_from(1024 + number % 16_384).unwrap())
}

fn establish(rig: &Rig<'_>) -> Established {
    let (mut syn, mut ack) = (burst(rig, SYN), burst(rig, ACK));
    let mut one = |number| {
        let client = client(number);
        assert_eq!(syn.send(client).unwrap(), Action::Sent);
        let server = syn.reached();
        assert_eq!((ack.send(client).unwrap(), ack.reached()), (Action::Sent, server));
        (client, server)
    };
    (0..EXPECTED).map(&mut one).collect()
}

/// Sends for every established connection in turn: how many rounds that were.
fn talk(mut ack: Burst, established: &Established, stop: &AtomicBool) -> u64 {
    let mut rounds = 0;
    loop {
        for (client, server) in established {
            if stop.load(Ordering::Relaxed) {
                return rounds;
            }
            assert_eq!(ack.send(*client).unwrap(), Action::Sent, "{client} lost its connection");
            assert_eq!(ack.reached(), *server, "{client} lost its real server");
        }
        rounds += 1;
    }
}

/// Who comes during the flood with an answer to the welcome after so many of its SYNs.
#[derive(Debug, Default)]
struct Newcomers {
    /// SYNs of the flood between theirs and the next segment: sixteenths of the places that are not
    /// established.
    distance: u64,
    begun: u32,
    established: u32,
    /// Dropped at once.
    refused: u32,
    /// When the next segment is due, from whom, and for which real server.
    waiting: VecDeque<(u64, SocketAddrV4, Mac)>,
}

impl Newcomers {
    /// What docs/conntable.md says, with something to spare.
    fn assert_share(&self) {
        let share = f64::from(self.established) / f64::from(self.begun);
        let least = match self.distance {
            1 | 2 => 0.98,
            4 => 0.96,
            8 => 0.8,
            _ => 0.0,
        };
        assert!(self.begun > 100, "too few to say anything: {self:?}");
        assert!(share >= least, "only {share:.3} of the newcomers got in: {self:?}");
    }
}

/// Has newcomers connect at several distances, until it is over.
fn newcomers(handshake: [Burst; 3], sent: &AtomicU64, stop: &AtomicBool) -> Vec<Newcomers> {
    let [mut syn, mut ack, mut rst] = handshake;
    let distances = [1, 2, 4, 8, 16, 32];
    let mut all: Vec<_> =
        distances.map(|distance| Newcomers { distance, ..Newcomers::default() }).into();
    let (mut number, mut next) = (EXPECTED, 0);
    while !stop.load(Ordering::Relaxed) {
        let now = sent.load(Ordering::Relaxed);
        let begins = now >= next;
        if begins {
            next = now + BETWEEN;
        }
        for class in &mut all {
            while class.waiting.front().is_some_and(|(due, ..)| *due <= now) {
                let (due, client, server) = class.waiting.pop_front().expect("there is one");
                if sent.load(Ordering::Relaxed) > due + u64::from(EXPECTED) / 16 {
                    // This thread had to wait: that would be another class.
                    class.begun -= 1;
                    continue;
                }
                if ack.send(client).unwrap() == Action::Sent {
                    assert_eq!(ack.reached(), server, "{client} has two real servers");
                    class.established += 1;
                    // Out of the way: these are not who the flood is measured by.
                    assert_eq!(rst.send(client).unwrap(), Action::Sent);
                }
            }
            if begins {
                let client = client(number);
                number += 1;
                let due = now + u64::from(EXPECTED) / 16 * class.distance;
                class.begun += 1;
                match syn.send(client).unwrap() {
                    Action::Sent => class.waiting.push_back((due, client, syn.reached())),
                    _ => class.refused += 1,
                }
            }
        }
    }
    for class in &mut all {
        // Nobody can say what would have become of these.
        class.begun -= u32::try_from(std::mem::take(&mut class.waiting).len()).unwrap();
    }
    all
}

fn assert_all_are_there(rig: &Rig<'_>, established: &Established) {
    let mut there = BTreeMap::new();
    for connection in rig.connections() {
        if connection.state == "ESTABLISHED" {
            there.insert((connection.client.address, connection.client.port), connection.dest);
        }
    }
    for (client, server) in established {
        let dest = there.get(&((*client.ip()).into(), client.port()));
        let dest = dest.unwrap_or_else(|| panic!("{client} was given up"));
        assert_eq!(lvs_tests::rig::packet::mac_of(dest.address), *server);
    }
}

/// Sources, the same ones each time (xorshift64*).
struct Random(u64);

impl Random {
    fn new(number: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ number << 17)
    }

    fn source(&mut self) -> SocketAddrV4 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let [a, b, c, d, port @ .., _, _] =
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes();
        let a = if a == 10 { 11 } else { a };
        SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes(port))
    }
}
