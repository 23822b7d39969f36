//! A real server on the director itself: its stack gets the packet as it came, and answers by itself.

use lvs_common::{
    map::{Method, NextHop},
    verdict::{Reason, Verdict},
};

use crate::{
    director::Director,
    frame::{ACK, FIN, SYN, frame},
    layout::{CLIENT, VIP, director},
};

const LOCAL: Verdict = Verdict::Pass(Reason::Local);

/// All real servers are the director, at the port that the method's have.
fn local(method: Method) -> Director {
    let mut director = director(method);
    let hop = NextHop { flags: NextHop::LOCAL, ..NextHop::default() };
    director.tables.maps.next_hops[1..].fill(hop);
    director
}

/// The same, at the service's own port.
fn on_its_port(method: Method) -> Director {
    let mut director = local(method);
    for dest in &mut director.tables.maps.dests {
        dest.port = dest.service.port;
    }
    director
}

#[test]
fn it_is_passed_as_it_came_and_has_a_connection_that_only_requests_move() {
    for method in [Method::DIRECT_ROUTE, Method::TUNNEL, Method::MASQ] {
        let mut director = on_its_port(method);
        // TTL 1: nobody forwards it.
        let request = frame(CLIENT, VIP).ttl(1);
        director.receives(&request.clone().tcp(SYN)).is(LOCAL);
        assert_eq!(director.state(CLIENT, VIP), ("SYN_RECV", 60));
        director.receives(&request.clone().tcp(ACK)).is(LOCAL);
        assert_eq!(director.state(CLIENT, VIP), ("ESTABLISHED", 900));
        assert_eq!(director.load(0), (1, 0));
        director.receives(&request.clone().tcp(FIN | ACK)).is(LOCAL);
        assert_eq!(director.state(CLIENT, VIP), ("FIN_WAIT", 120));
        let counters = director.tables.maps.counters[0];
        assert_eq!((counters.connections, counters.in_packets, counters.in_bytes), (1, 3, 120));
        assert_eq!((counters.out_packets, counters.out_bytes), (0, 0));
    }
}

#[test]
fn nat_to_another_port_of_the_director_is_refused_before_it_is_a_connection() {
    let mut director = local(Method::MASQ);
    for _ in 0..2 {
        let refused = Verdict::Drop(Reason::LocalPort);
        director.receives(&frame(CLIENT, VIP).tcp(SYN)).is(refused);
        director.receives(&frame(CLIENT, VIP).udp()).is(refused);
    }
    assert_eq!(director.tables.conns().entries().count(), 0);
    assert_eq!(director.tables.maps.counters[0].connections, 0);
}

#[test]
fn a_connection_stays_when_its_real_server_moves_to_the_director() {
    let mut director = director(Method::DIRECT_ROUTE);
    let forwarded = crate::director::FORWARDED;
    director.receives(&frame(CLIENT, VIP).tcp(SYN)).is(forwarded);
    let hop = NextHop { flags: NextHop::LOCAL, ..NextHop::default() };
    director.tables.maps.next_hops[1..].fill(hop);
    director.receives(&frame(CLIENT, VIP).tcp(ACK)).is(LOCAL);
    assert_eq!(director.state(CLIENT, VIP), ("ESTABLISHED", 900));
}
