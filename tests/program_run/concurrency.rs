//! Several threads send at once while the sweeper ends connections and the clock runs: nothing is lost, doubled
//! or torn, and the counters say what stands in the table.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use lvs_tests::rig::{
    Place, Rig,
    packet::{ACK, FIN, RST, SYN},
};

use crate::{
    sender::{assert_counts_are_the_tables, assert_ends_empty, client},
    threads::{THREADS, after, agree, in_threads},
};

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
            agree(agreed, server, client);
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
            state = after(state);
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

fn set_up(rig: &mut Rig<'_>) {
    rig.must("ipvsadm -A -t 192.168.4.5:80 -s wlc").unwrap();
    for (server, weight) in [(11, 1), (12, 2), (13, 3)] {
        rig.must(&format!(
            "ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.{server}:8080 -m -w {weight}"
        ))
        .unwrap();
    }
}

fn connections_counted(rig: &mut Rig<'_>) -> u64 {
    let listing = rig.must("ipvsadm -Ln --stats --exact").unwrap();
    let line = listing.lines().find(|line| line.starts_with("TCP")).expect("the service");
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}
