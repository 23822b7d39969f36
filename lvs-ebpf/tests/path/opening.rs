//! Which packets begin a connection, and with whom.

use lvs_common::{
    map::Method,
    net::protocol,
    sched::Kind,
    verdict::{Reason, Verdict},
};

use crate::{
    director::{Director, FORWARDED},
    frame::{ACK, FIN, PSH, RST, SYN, frame},
    layout::{CLIENT, RIPS, VIP, dest, director, end, key},
};

const NOT_SCHEDULABLE: Verdict = Verdict::Pass(Reason::NotSchedulable);

fn direct_router() -> Director {
    director(Method::DIRECT_ROUTE)
}

/// One client after the other.
fn client(number: u16) -> std::net::SocketAddrV4 {
    end(192, 0, 2, 10, 40_000 + number)
}

/// The slots that new connections go to; nothing where none is made.
fn chosen(director: &mut Director, connections: u16) -> Vec<Option<u32>> {
    let one = |number| {
        director.receives(&frame(client(number), VIP));
        director.connection(client(number), VIP).map(|entry| entry.dest())
    };
    (0..connections).map(one).collect()
}

#[test]
fn a_syn_without_rst_opens_and_nothing_else_of_tcp_does() {
    for flags in 0..32 {
        let mut director = direct_router();
        let opens = flags & SYN != 0 && flags & RST == 0;
        let verdict = if opens { FORWARDED } else { NOT_SCHEDULABLE };
        director.receives(&frame(CLIENT, VIP).tcp(flags)).is(verdict);
        assert_eq!(director.connection(CLIENT, VIP).is_some(), opens, "{flags:#x}");
    }
}

#[test]
fn sloppy_tcp_lets_everything_open_but_rst() {
    for flags in 0..32 {
        let mut director = direct_router();
        director.tables.maps.tunables.sloppy_tcp = 1;
        let verdict = if flags & RST == 0 { FORWARDED } else { NOT_SCHEDULABLE };
        director.receives(&frame(CLIENT, VIP).tcp(flags)).is(verdict);
    }
}

#[test]
fn a_sloppy_connection_begins_in_the_state_that_its_first_segment_brings() {
    for (flags, state) in [
        (SYN, ("SYN_RECV", 60)),
        (SYN | ACK, ("SYN_RECV", 60)),
        (ACK, ("ESTABLISHED", 900)),
        (FIN | ACK, ("CLOSE", 10)),
        (PSH, ("CLOSE", 10)),
        (0, ("CLOSE", 10)),
    ] {
        let mut director = direct_router();
        director.tables.maps.tunables.sloppy_tcp = 1;
        director.receives(&frame(CLIENT, VIP).tcp(flags)).is(FORWARDED);
        assert_eq!(director.state(CLIENT, VIP), state, "{flags:#x}");
    }
}

#[test]
fn any_datagram_opens() {
    let mut director = direct_router();
    director.receives(&frame(CLIENT, VIP).udp()).is(FORWARDED);
    assert_eq!(director.state(CLIENT, VIP), ("UDP", 300));
    assert_eq!(director.load(2), (0, 1));
}

#[test]
fn nothing_from_port_20_opens() {
    let data = end(192, 0, 2, 10, 20);
    let mut director = direct_router();
    director.receives(&frame(data, VIP).tcp(SYN)).is(NOT_SCHEDULABLE);
    director.receives(&frame(data, VIP).udp()).is(NOT_SCHEDULABLE);
    let almost = end(192, 0, 2, 10, 20 << 8);
    director.receives(&frame(almost, VIP).tcp(SYN)).is(FORWARDED);
}

#[test]
fn a_service_without_an_available_real_server_drops() {
    let mut quiesced = direct_router();
    quiesced.tables.maps.pools.iter_mut().for_each(|entry| entry.weight = 0);
    quiesced.receives(&frame(CLIENT, VIP)).is(Verdict::Drop(Reason::NoDest));

    let mut empty = direct_router();
    let another = end(198, 51, 100, 7, 80);
    empty.tables.add_service(key(another, protocol::TCP), Kind::Wlc, &[]);
    empty.receives(&frame(CLIENT, another)).is(Verdict::Drop(Reason::NoDest));
    // It is the service's packet all the same: none that opens nothing gets there.
    empty.receives(&frame(CLIENT, another).tcp(ACK)).is(NOT_SCHEDULABLE);
}

#[test]
fn a_service_of_no_scheduler_drops() {
    let mut director = direct_router();
    for number in [0, 15, 255] {
        let service = director.tables.maps.services.get_mut(&key(VIP, protocol::TCP)).unwrap();
        service.scheduler = number;
        director.receives(&frame(CLIENT, VIP)).is(Verdict::Drop(Reason::NoDest));
    }
}

#[test]
fn real_servers_take_turns() {
    let mut director = direct_router();
    assert_eq!(chosen(&mut director, 5), [Some(0), Some(1), Some(0), Some(1), Some(0)]);
    assert_eq!((director.load(0), director.load(1)), ((3, 0), (2, 0)));
}

#[test]
fn an_existing_connection_stays_with_a_quiesced_real_server() {
    let mut director = direct_router();
    director.receives(&frame(CLIENT, VIP)).is(FORWARDED);
    director.tables.maps.pools.iter_mut().for_each(|entry| entry.weight = 0);
    director.receives(&frame(CLIENT, VIP).tcp(ACK)).is(FORWARDED);
    director.receives(&frame(client(1), VIP)).is(Verdict::Drop(Reason::NoDest));
}

#[test]
fn just_the_upper_threshold_is_admitted_and_then_none_until_below_the_lower() {
    let mut director = direct_router();
    let limited = end(198, 51, 100, 9, 80);
    let mut server = dest(*RIPS[0].ip(), 80, Method::DIRECT_ROUTE, 1);
    (server.upper, server.lower) = (4, 2);
    director.tables.add_service(key(limited, protocol::TCP), Kind::Rr, &[(server, 1)]);
    let syn = |director: &mut Director, number| {
        director.receives(&frame(client(number), limited)).verdict
    };
    for number in 0..4 {
        assert_eq!(syn(&mut director, number), FORWARDED);
    }
    assert_eq!(syn(&mut director, 4), Verdict::Drop(Reason::NoDest));

    // They expire one by one: a packet to an expired one ends it.
    director.waits(60);
    let end_one = |director: &mut Director, number| {
        director.receives(&frame(client(number), limited).tcp(ACK)).is(NOT_SCHEDULABLE);
    };
    end_one(&mut director, 0);
    end_one(&mut director, 1);
    assert_eq!(syn(&mut director, 5), Verdict::Drop(Reason::NoDest));
    end_one(&mut director, 2);
    assert_eq!(syn(&mut director, 5), FORWARDED);
}
