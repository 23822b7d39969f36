//! Frames of every kind, half of them damaged, through the loaded program from two threads, over rules of every
//! method: whatever comes, the kernel has nothing to say, each frame is accounted for once, what leaves has the
//! length and the bytes that it must have, and those who send properly notice nothing.
//!
//! | file | idea |
//! |---|---|
//! | `world` | the rules, and who is who |
//! | `frames` | frames of every kind |
//! | `damage` | tags, options and fragments; lies, holes and noise |
//! | `judge` | what may become of a frame |
//! | `complaints` | the kernel's log |

#![expect(clippy::print_stdout, reason = "prints its figures")]

mod complaints;
mod damage;
mod frames;
mod judge;
mod random;
mod world;

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    net::{IpAddr, SocketAddr},
    thread,
    time::Duration,
};

use lvs_common::verdict::Reason;
use lvs_ctl::model::Load;
use lvs_tests::rig::{
    Action, Place, Rig, Side,
    feed::Feed,
    packet::{ACK, Packet, SYN},
};

use self::{
    complaints::Log,
    frames::Maker,
    judge::Tally,
    world::{V4, V6},
};

/// Frames, unless the environment has another number: ten millions take minutes.
const FRAMES: u64 = 150_000;
const FRAMES_VARIABLE: &str = "LVS_TEST_FRAMES";
/// Where the random numbers begin.
const SEED_VARIABLE: &str = "LVS_TEST_SEED";

/// Connections that the table is made for: fewer than come.
const CONNECTIONS: u32 = 2048;

const THREADS: u64 = 2;

/// Frames of a thread between two looks at the accounts.
const ROUND: u64 = 25_000;

/// Wild frames between two of those who send properly.
const BETWEEN: u64 = 200;

/// Looks at the counts until they have to agree.
const LOOKS: usize = 3;

/// What goes by between two rounds: some connections end, those of the quiet do not.
const PAUSE: Duration = Duration::from_secs(40);

/// Somebody whose packets must go on as they did: what is sent, and what it becomes.
type Quiet = (Side, Vec<u8>, Vec<u8>);

#[test]
fn wild_frames_are_all_accounted_for_and_harm_nobody() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let frames = number(FRAMES_VARIABLE).unwrap_or(FRAMES);
    let seed = number(SEED_VARIABLE).unwrap_or(1);
    let mut log = Log::from_now_on();
    let place = Place::enter().unwrap();
    // The kernel at the other end would solicit routers, by frames that nobody here has counted.
    fs::write("/proc/sys/net/ipv6/conf/clients-end/disable_ipv6", "1").unwrap();
    let mut rig = Rig::sized(&place, CONNECTIONS).unwrap();
    world::set_up(&mut rig);
    let quiet = quiet(&mut rig);
    let first = counted(&rig);
    let macs = [Side::Clients, Side::Servers].map(|side| rig.mac(side));
    let mut threads: Vec<_> = (0..THREADS)
        .map(|number| (Maker::new(seed * THREADS + number, macs), Feed::new(&rig).unwrap()))
        .collect();
    let (mut tally, mut wrong) = (Tally::default(), BTreeMap::new());
    while tally.fed < frames {
        let round = ROUND.min((frames - tally.fed).div_ceil(THREADS));
        thread::scope(|scope| {
            let running: Vec<_> = threads
                .iter_mut()
                .map(|(maker, feeder)| scope.spawn(|| feed(maker, feeder, round, &quiet)))
                .collect();
            for thread in running {
                let (more, said) = thread.join().expect("what a thread has to say stands above");
                tally.add(&more);
                wrong.extend(said);
            }
        });
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        assert_accounts(&first, &counted(&rig), &tally);
        assert_counts_are_the_tables(&rig);
        rig.pass(PAUSE);
    }
    println!("{tally:#?}\n{:#?}", rig.reasons());
    assert_eq!(log.alarms(), Vec::<String>::new());
    // Every place of every table is given back.
    rig.reset().unwrap();
}

#[test]
fn what_no_tunnels_checksum_is_made_over_is_too_long() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    let vip = "192.168.4.5:53".parse().unwrap();
    rig.must(&format!("ipvsadm -A -u {vip} -s rr")).unwrap();
    let tunnel = "-i --tun-type gue --tun-port 5555 --tun-csum";
    rig.must(&format!("ipvsadm -a -u {vip} -r 192.168.2.11 {tunnel}")).unwrap();
    let mut feeder = Feed::new(&rig).unwrap();
    for (data, action) in [(9000, Action::Sent), (12_000, Action::Dropped)] {
        let packet = Packet::udp("10.0.0.1:5000".parse().unwrap(), vip, &vec![7; data]);
        let mut frame = rig.arriving(Side::Clients, &packet);
        // It has no checksum of its own, so all of it is to be summed; and it may be cut, so nobody is told.
        frame[40..42].fill(0);
        frame[20] = 0;
        assert_eq!(feeder.send(Side::Clients, &frame).unwrap(), action, "{data} bytes");
    }
    assert_eq!(rig.reasons(), [("over_mtu".to_owned(), 1)]);
}

/// Feeds frames, and looks at each: what is wrong, with a frame of which it is.
fn feed(
    maker: &mut Maker,
    feeder: &mut Feed,
    frames: u64,
    quiet: &[Quiet],
) -> (Tally, BTreeMap<String, String>) {
    let (mut tally, mut wrong) = (Tally::default(), BTreeMap::new());
    for number in 0..frames {
        let (side, frame) = maker.frame();
        let action = feeder.send(side, &frame).unwrap_or_else(|error| {
            panic!("{error:#}: {side:?} {}", hex(&frame));
        });
        if let Err(what) = tally.judge(&frame, action, feeder.out()) {
            let became = hex(feeder.out());
            wrong.insert(what, format!("{side:?} {} became {became}", hex(&frame)));
        }
        if action == Action::Sent {
            maker.left(feeder.out());
        }
        if number % BETWEEN == 0 {
            for (side, frame, becomes) in quiet {
                let action = feeder.send(*side, frame).unwrap();
                tally.fed += 1;
                tally.forwarded += 1;
                assert_eq!((action, feeder.out()), (Action::Sent, &**becomes), "{}", hex(frame));
            }
        }
    }
    (tally, wrong)
}

/// Connections of those who send properly: by DR, by NAT and its answers, through a tunnel.
fn quiet(rig: &mut Rig<'_>) -> Vec<Quiet> {
    let mut all = Vec::new();
    for family in [V4, V6] {
        for (port, number) in [(80, 0), (81, 1), (82, 2)] {
            let (client, vip) = (family.quiet(), SocketAddr::new(family.vip(), port));
            for flags in [SYN, ACK] {
                let gone = rig.request(&Packet::tcp(client, vip, flags, b"")).unwrap();
                // Of IPv6 inside IPv6 the rig knows no expectation.
                assert!(gone.wrong.is_none() || number == 2, "{gone:?}");
            }
            let mut packets = vec![(Side::Clients, Packet::tcp(client, vip, ACK, b"properly"))];
            if number == 1 {
                let server = SocketAddr::new(family.server_of(number), 8080);
                packets.push((Side::Servers, Packet::tcp(server, client, ACK, b"answered")));
            }
            for (side, packet) in packets {
                let frame = rig.arriving(side, &packet);
                let mut feeder = Feed::new(rig).unwrap();
                assert_eq!(feeder.send(side, &frame).unwrap(), Action::Sent, "{packet}");
                all.push((side, frame, feeder.out().to_vec()));
            }
        }
    }
    all
}

/// Frames that ended for each reason.
fn counted(rig: &Rig<'_>) -> BTreeMap<String, u64> {
    rig.reasons().into_iter().collect()
}

/// Each frame was forwarded, or has its reason: one of those that pass it, or of those that drop it.
fn assert_accounts(first: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>, tally: &Tally) {
    let count = |reason: &Reason| {
        let of = |counts: &BTreeMap<String, u64>| counts.get(reason.name()).copied().unwrap_or(0);
        of(now) - of(first)
    };
    let all = |verb: &str| {
        let reasons = Reason::ALL.iter();
        reasons.filter(|it| it.explanation().trim().starts_with(verb)).map(count).sum::<u64>()
    };
    assert_eq!(all("Passed"), tally.passed, "{tally:#?} {now:#?}");
    assert_eq!(all("Dropped"), tally.dropped + tally.answered, "{tally:#?} {now:#?}");
    let fed = tally.forwarded + all("Passed") + all("Dropped");
    assert_eq!(fed, tally.fed, "{tally:#?} {now:#?}");
    let told = [Reason::NoDest, Reason::TtlExpired, Reason::OverMtu].iter().map(count).sum::<u64>();
    assert!(tally.answered <= told, "{tally:#?} {now:#?}");
    assert!(tally.changed <= count(&Reason::ByStack), "{tally:#?} {now:#?}");
    assert_eq!(count(&Reason::Broken), 0, "in a sound director: {now:#?}");
}

/// The counts of each real server are those of its lines in the listing. A connection that ends between two looks
/// is counted in one of them only: then the next look tells.
fn assert_counts_are_the_tables(rig: &Rig<'_>) {
    let looks = (0..LOOKS).map(|_| {
        rig.sweep();
        (found(rig), told(rig))
    });
    let different: Vec<_> = looks.take_while(|(found, told)| found != told).collect();
    assert!(different.len() < LOOKS, "found and told: {different:#?}");
}

/// What the connection table has for each real server.
fn found(rig: &Rig<'_>) -> BTreeMap<IpAddr, Load> {
    let mut found: BTreeMap<_, Load> = BTreeMap::new();
    for connection in rig.connections() {
        let count = found.entry(connection.dest.address).or_default();
        match &*connection.state {
            "SYN_SENT" | "SYN_RECV" | "ESTABLISHED" => count.active += 1,
            "NONE" | "ASSURED" => count.persistent += 1,
            _ => count.inactive += 1,
        }
    }
    found
}

/// What is counted for each real server.
fn told(rig: &Rig<'_>) -> BTreeMap<IpAddr, Load> {
    let mut told: BTreeMap<_, Load> = BTreeMap::new();
    for entry in rig.listing().services.iter().flat_map(|service| &service.dests) {
        let count = told.entry(entry.dest.addr.address).or_default();
        count.active += entry.load.active;
        count.inactive += entry.load.inactive;
        count.persistent += entry.load.persistent;
    }
    told.retain(|_, load| *load != Load::default());
    told
}

fn hex(frame: &[u8]) -> String {
    frame.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("into memory");
        text
    })
}
