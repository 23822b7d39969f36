//! Maps that are full, contested, or contradict each other.

use lvs_common::{
    conntable::{Bucket as _, Buckets as _, New, word},
    map::Method,
    tcp_state::State,
    verdict::{Reason, Verdict},
};

use crate::{
    director::{Director, FORWARDED, RETURNED},
    frame::{ACK, FIN, RST, SYN, frame},
    layout::{CLIENT, RIPS, VIP, connection_key, director, director_of, end, word_of},
};

/// A client of its own for each number.
fn client(number: u8) -> std::net::SocketAddrV4 {
    end(192, 0, 2, number, 40_000)
}

/// A director whose table has room for eight connections.
fn small(method: Method) -> Director {
    director_of(method, 1)
}

fn opens(director: &mut Director, number: u8, segments: &[u8]) {
    for flags in segments {
        director.receives(&frame(client(number), VIP).tcp(*flags)).is(FORWARDED);
    }
}

/// The numbers of those clients that have a connection.
fn connected(director: &Director) -> Vec<u8> {
    (0..=255).filter(|number| director.connection(client(*number), VIP).is_some()).collect()
}

#[test]
fn established_connections_are_never_given_up() {
    let mut director = small(Method::DIRECT_ROUTE);
    for number in 1..=8 {
        opens(&mut director, number, &[SYN, ACK]);
    }
    director.receives(&frame(client(9), VIP)).is(Verdict::Drop(Reason::TableFull));
    director.receives(&frame(client(9), VIP).udp()).is(Verdict::Drop(Reason::TableFull));
    assert_eq!(connected(&director), [1, 2, 3, 4, 5, 6, 7, 8]);
    opens(&mut director, 1, &[ACK]);
}

#[test]
fn what_is_over_gives_way_in_order_expired_closed_half_open() {
    let mut director = small(Method::DIRECT_ROUTE);
    opens(&mut director, 1, &[SYN]);
    director.waits(1);
    opens(&mut director, 2, &[SYN]);
    opens(&mut director, 3, &[SYN, ACK, RST]);
    director.waits(1);
    opens(&mut director, 4, &[SYN, ACK, RST]);
    opens(&mut director, 5, &[SYN, FIN]);
    for number in 6..=8 {
        opens(&mut director, number, &[SYN, ACK]);
    }
    // 3 is the first to expire; 4 is closed and ends before 5; 1 is the elder of the half-open.
    director.waits(9);
    let mut gone = Vec::new();
    for newcomer in 11..=15 {
        let before = connected(&director);
        opens(&mut director, newcomer, &[SYN, ACK]);
        let after = connected(&director);
        gone.extend(before.into_iter().filter(|number| !after.contains(number)));
    }
    assert_eq!(gone, [3, 4, 5, 1, 2]);
    assert_eq!(director.load(0).0 + director.load(1).0, 8);
    director.receives(&frame(client(16), VIP)).is(Verdict::Drop(Reason::TableFull));
}

#[test]
fn a_refused_insertion_is_a_full_table() {
    let mut director = director(Method::MASQ);
    director.tables.maps.is_full = true;
    director.receives(&frame(CLIENT, VIP)).is(Verdict::Drop(Reason::TableFull));
    assert_eq!(director.tables.maps.counters[0].connections, 0);
    director.tables.maps.is_full = false;
    director.receives(&frame(CLIENT, VIP)).is(FORWARDED);
}

/// What another CPU puts into the table for the client, bound for a real server.
fn rival(director: &Director, slot: u32, method: Method) -> New {
    let now = director.tables.maps.now;
    New {
        key: connection_key(),
        dest: slot,
        method,
        keeps_port: false,
        state: State::SYN_RECV,
        peer: word_of(RIPS[slot as usize]),
        now,
        expires: now + 6000,
    }
}

#[test]
fn of_two_cpus_that_open_one_connection_both_use_the_first() {
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        let mut director = director(method);
        director.tables.maps.rival = Some(rival(&director, 1, method));
        director.receives(&frame(CLIENT, VIP)).is(FORWARDED);
        assert_eq!(director.tables.conns().entries().count(), 1);
        assert_eq!((director.load(0), director.load(1)), ((0, 0), (1, 0)));
        assert_eq!(director.tables.maps.counters[1].in_packets, 1);
        assert_eq!(director.tables.maps.counters[0].connections, 0);
    }
}

#[test]
fn a_claim_of_the_same_client_at_a_lower_place_is_a_race() {
    let mut director = small(Method::DIRECT_ROUTE);
    opens(&mut director, 1, &[SYN]);
    let way = director.tables.conns().entries().count();
    assert_eq!(way, 1);
    // New ones take the last free way; the claim lies in the first.
    let row = director.tables.conns().at(0).unwrap();
    let free = (0..8).find(|way| row.load(word::at(*way, 0)) & word::PHASE == word::EMPTY);
    row.store(word::at(free.unwrap(), 0), word_of(client(2)) | word::CLAIMED);
    director.receives(&frame(client(2), VIP)).is(Verdict::Drop(Reason::Racing));
    assert_eq!(connected(&director), [1]);
    // Other clients do not mind.
    opens(&mut director, 3, &[SYN]);
}

#[test]
fn slots_without_a_value_are_dropped_as_broken() {
    let broken = Verdict::Drop(Reason::Broken);
    let mut no_entry = director(Method::MASQ);
    no_entry.tables.maps.pools.iter_mut().for_each(|entry| entry.dest = 99);
    // A real server without a load is none to the scheduler.
    no_entry.receives(&frame(CLIENT, VIP)).is(Verdict::Drop(Reason::NoDest));

    let mut no_dest = director(Method::MASQ);
    no_dest.tables.maps.dests.clear();
    no_dest.receives(&frame(CLIENT, VIP)).is(broken);

    let mut lost_dest = director(Method::MASQ);
    lost_dest.receives(&frame(CLIENT, VIP)).is(FORWARDED);
    lost_dest.tables.maps.dests.clear();
    lost_dest.receives(&frame(CLIENT, VIP).tcp(ACK)).is(broken);

    let mut no_hop = director(Method::MASQ);
    no_hop.tables.maps.next_hops.clear();
    no_hop.receives(&frame(CLIENT, VIP)).is(Verdict::Drop(Reason::NoNextHop));
}

#[test]
fn a_method_that_is_none_is_dropped_as_broken() {
    let mut director = director(Method::MASQ);
    director.tables.maps.dests[0].method = Method(15);
    director.receives(&frame(CLIENT, VIP)).is(Verdict::Drop(Reason::Broken));
}

#[test]
fn a_reply_goes_out_although_its_real_server_is_removed() {
    // IPVS too looks at a real server's flags only for requests.
    let mut director = director(Method::MASQ);
    director.receives(&frame(CLIENT, VIP));
    director.tables.maps.dests[0].flags = 0;
    director.receives(&frame(RIPS[0], CLIENT).tcp(SYN | ACK)).is(RETURNED);
}
