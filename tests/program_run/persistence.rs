//! Templates through the loaded program and the sweeper: how long they last, how they are listed and counted, and
//! that threads agree on them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};

use lvs_tests::rig::{
    Place, Rig,
    packet::{ACK, FIN, Packet, RST, SYN},
    way::Way,
};

use crate::{
    sender::{VIP, assert_counts_are_the_tables, assert_ends_empty},
    threads::{THREADS, after, agree, in_threads},
};

const SECOND: Duration = Duration::from_secs(1);

/// Template lifetime of the services, seconds.
const LIFETIME_S: u64 = 100;

#[test]
fn a_template_lasts_while_its_connection_does() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    set_up(&mut rig, "-p 100");
    let server = sends(&mut rig, client(1), SYN);
    sends(&mut rig, client(1), ACK);
    assert_eq!(templates(&mut rig), [("ASSURED".to_owned(), LIFETIME_S)]);
    // Its own time is over; from then on it gets a minute after the other.
    rig.wait(105 * SECOND);
    let [(state, left)] = &templates(&mut rig)[..] else { panic!("no template") };
    assert!(state == "ASSURED" && (50..=57).contains(left), "{state}, {left} s");
    rig.wait(60 * SECOND);
    let [(_, left)] = templates(&mut rig)[..] else { panic!("no template any more") };
    assert!((40..=57).contains(&left), "{left} s");
    // A new connection gives it a minute too, and goes the same way.
    assert_eq!(sends(&mut rig, client(2), SYN), server);
    let [(_, left)] = templates(&mut rig)[..] else { panic!("no template") };
    assert!((58..=60).contains(&left), "{left} s");

    // Without connections it ends with its minute.
    for number in [1, 2] {
        sends(&mut rig, client(number), ACK);
        sends(&mut rig, client(number), RST);
    }
    rig.wait(15 * SECOND);
    assert_eq!((templates(&mut rig).len(), rig.connections().len()), (1, 1));
    assert_eq!(loads(&rig).iter().sum::<u32>(), 1);
    rig.wait(50 * SECOND);
    assert_eq!((loads(&rig), rig.connections().len()), (vec![0; 3], 0));
}

#[test]
fn a_template_without_a_completed_connection_is_none_and_ends_after_its_time() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    set_up(&mut rig, "-p 100");
    sends(&mut rig, client(1), SYN);
    assert_eq!(templates(&mut rig), [("NONE".to_owned(), LIFETIME_S)]);
    assert_eq!(loads(&rig).iter().sum::<u32>(), 1);
    rig.wait(99 * SECOND);
    assert_eq!((templates(&mut rig).len(), rig.connections().len()), (1, 1));
    rig.wait(2 * SECOND);
    assert_eq!((loads(&rig), rig.connections().len()), (vec![0; 3], 0));
}

#[test]
fn a_quiesced_real_servers_template_goes_on_with_the_clients_connections_and_ends_after_them() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    set_up(&mut rig, "-p 100 -M 255.255.255.0");
    let server = sends(&mut rig, client(1), SYN);
    sends(&mut rig, client(1), ACK);
    rig.must(&format!("ipvsadm -e -t 192.168.4.5:80 -r {server} -m -w 0")).unwrap();
    for number in 2..5 {
        rig.wait(90 * SECOND);
        assert_eq!(sends(&mut rig, client(number), SYN), server);
    }
    let neighbour = SocketAddr::new(Ipv4Addr::new(10, 0, 0, 200).into(), 4000);
    assert_eq!(sends(&mut rig, neighbour, SYN), server);
    // Deleted, it takes nothing more; its client gets another one and a new template.
    rig.must(&format!("ipvsadm -d -t 192.168.4.5:80 -r {server}")).unwrap();
    let other = sends(&mut rig, client(9), SYN);
    assert_ne!(other, server);
    assert_eq!(sends(&mut rig, client(10), SYN), other);
    assert_eq!(loads(&rig).iter().sum::<u32>(), 1);
}

#[test]
fn clients_of_one_net_that_come_at_once_get_one_template() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 131_072).unwrap();
    set_up(&mut rig, "-p 900 -M 255.255.255.0");
    let agreed: Vec<AtomicU32> = (0..65_536).map(|_| AtomicU32::new(0)).collect();
    let tickets = AtomicUsize::new(0);
    in_threads(&rig, Duration::ZERO, |thread, sender, stop| {
        while !stop.load(Ordering::Relaxed) {
            // As many tickets for a net as there are threads: they use them at the same moment.
            let net = tickets.fetch_add(1, Ordering::Relaxed) / usize::from(THREADS);
            let (Some(agreed), [.., b, c]) = (agreed.get(net), net.to_be_bytes()) else { break };
            let host = u8::try_from(thread + 1).unwrap();
            let client = SocketAddr::new(Ipv4Addr::new(10, b, c, host).into(), 1024);
            // One that loses a race is dropped; TCP would send it again.
            let Some(server) = (0..64).find_map(|_| sender.request(client, SYN)) else { continue };
            assert_eq!(sender.request(client, ACK), Some(server), "{client} lost its server");
            agree(agreed, server, client);
        }
    });
    let nets = agreed.iter().filter(|it| it.load(Ordering::Relaxed) != 0).count();
    assert!(nets > 500, "only {nets} nets: the test is too slow to say anything");
    assert_counts_are_the_tables(&rig);
    assert_eq!(loads(&rig).iter().sum::<u32>(), u32::try_from(nets).unwrap());
    assert!(templates(&mut rig).iter().all(|(state, _)| state == "ASSURED"));
    assert_ends_empty(&rig);
}

#[test]
fn a_full_table_of_templates_and_a_running_clock_leave_the_counts_right() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::sized(&place, 256).unwrap();
    set_up(&mut rig, "-p 3 -M 255.255.255.252");
    in_threads(&rig, Duration::from_millis(600), |number, sender, stop| {
        let mut state = u64::from(number) + 1;
        while !stop.load(Ordering::Relaxed) {
            state = after(state);
            let [a, b, c, ..] = state.to_be_bytes();
            let client = SocketAddr::new(Ipv4Addr::new(10, 0, a & 3, b).into(), 5000);
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

fn set_up(rig: &mut Rig<'_>, options: &str) {
    rig.must(&format!("ipvsadm -A -t 192.168.4.5:80 -s rr {options}")).unwrap();
    for server in 11..=13 {
        let line = format!("ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.{server}:8080 -m");
        rig.must(&line).unwrap();
    }
}

/// One of a client's connections.
fn client(number: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1).into(), 4000 + number)
}

/// The real server that a segment reaches.
#[track_caller]
fn sends(rig: &mut Rig<'_>, client: SocketAddr, flags: u8) -> SocketAddr {
    let packet = Packet::tcp(client, SocketAddr::new(VIP.into(), 80), flags, b"");
    let gone = rig.request(&packet).unwrap();
    match gone.way {
        Way::Forwarded(server) => server,
        other => panic!("{packet} was {other:?}"),
    }
}

/// States and seconds left of the templates, as `ipvsadm -Lnc` prints them.
fn templates(rig: &mut Rig<'_>) -> Vec<(String, u64)> {
    let listing = rig.must("ipvsadm -Lnc").unwrap();
    let lines = listing.lines().skip(2).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let template = |words: Vec<&str>| {
        let (minutes, seconds) = words[1].split_once(':').unwrap();
        let left = minutes.parse::<u64>().unwrap() * 60 + seconds.parse::<u64>().unwrap();
        // A second goes by unnoticed.
        let left = if left == LIFETIME_S - 1 { LIFETIME_S } else { left };
        (words[2].to_owned(), left)
    };
    lines.filter(|words| words[3].ends_with(":0")).map(template).collect()
}

/// Templates of each real server, as they are counted.
fn loads(rig: &Rig<'_>) -> Vec<u32> {
    let dests = &rig.listing().services[0].dests;
    dests.iter().map(|entry| entry.load.persistent).collect()
}
