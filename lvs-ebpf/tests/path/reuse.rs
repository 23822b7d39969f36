//! Connections that are over, and what comes on their addresses and ports afterwards.

use lvs_common::{
    map::{Dest, Method},
    verdict::{Reason, Verdict},
};

use crate::{
    director::{Director, FORWARDED},
    frame::{ACK, FIN, RST, SYN, frame},
    layout::{CLIENT, RIPS, VIP, director},
};

fn direct_router() -> Director {
    director(Method::DIRECT_ROUTE)
}

/// Sends segments of the client.
fn sends(director: &mut Director, segments: &[u8]) {
    for flags in segments {
        director.receives(&frame(CLIENT, VIP).tcp(*flags)).is(FORWARDED);
    }
}

/// The slot of the connection's real server.
fn dest(director: &Director) -> u32 {
    director.connection(CLIENT, VIP).expect("a connection").dest()
}

/// From the first segment, by the method, to these states.
const CLOSED: &[u8] = &[SYN, ACK, RST];
const TIME_WAIT: &[u8] = &[SYN, FIN];
const FIN_WAIT: &[u8] = &[SYN, ACK, FIN | ACK];

/// The states before and after a SYN on an old connection, and whether it is scheduled anew: round
/// robin then takes the other real server.
fn syn_on(mode: u32, segments: &[u8]) -> (&'static str, &'static str, bool) {
    let mut director = direct_router();
    director.tables.maps.tunables.conn_reuse_mode = mode;
    sends(&mut director, segments);
    let before = director.state(CLIENT, VIP).0;
    assert_eq!(dest(&director), 0);
    sends(&mut director, &[SYN]);
    (before, director.state(CLIENT, VIP).0, dest(&director) == 1)
}

#[test]
fn a_syn_on_a_closed_connection_is_scheduled_anew() {
    assert_eq!(syn_on(1, CLOSED), ("CLOSE", "SYN_RECV", true));
    assert_eq!(syn_on(1, TIME_WAIT), ("TIME_WAIT", "SYN_RECV", true));
}

#[test]
fn without_conn_reuse_mode_it_stays_with_its_real_server() {
    assert_eq!(syn_on(0, CLOSED), ("CLOSE", "SYN_RECV", false));
    assert_eq!(syn_on(0, TIME_WAIT), ("TIME_WAIT", "SYN_RECV", false));
    assert_eq!(syn_on(0, FIN_WAIT), ("FIN_WAIT", "SYN_RECV", false));
}

#[test]
fn a_syn_in_fin_wait_is_scheduled_anew_only_if_conn_reuse_mode_says_so() {
    assert_eq!(syn_on(1, FIN_WAIT), ("FIN_WAIT", "SYN_RECV", false));
    assert_eq!(syn_on(2, FIN_WAIT), ("FIN_WAIT", "SYN_RECV", true));
    assert_eq!(syn_on(3, FIN_WAIT), ("FIN_WAIT", "SYN_RECV", true));
    // Any mode but 0 looks at the closed states.
    assert_eq!(syn_on(2, CLOSED), ("CLOSE", "SYN_RECV", true));
}

#[test]
fn in_nat_fin_wait_keeps_its_real_server_under_every_mode() {
    let mut director = director(Method::MASQ);
    director.tables.maps.tunables.conn_reuse_mode = 3;
    sends(&mut director, &[SYN, ACK]);
    director.receives(&frame(RIPS[0], CLIENT).tcp(FIN | ACK));
    assert_eq!(director.state(CLIENT, VIP).0, "FIN_WAIT");
    sends(&mut director, &[SYN]);
    assert_eq!(dest(&director), 0);
}

#[test]
fn a_syn_on_a_connection_that_is_not_over_stays() {
    assert_eq!(syn_on(1, &[SYN]), ("SYN_RECV", "SYN_RECV", false));
    assert_eq!(syn_on(1, &[SYN, ACK]), ("ESTABLISHED", "ESTABLISHED", false));
}

#[test]
fn a_syn_with_rst_ends_a_closed_connection_and_opens_none() {
    let mut director = direct_router();
    sends(&mut director, CLOSED);
    let both = frame(CLIENT, VIP).tcp(SYN | RST);
    director.receives(&both).is(Verdict::Pass(Reason::NotSchedulable));
    assert!(director.connection(CLIENT, VIP).is_none());
    assert_eq!(director.load(0), (0, 0));
}

#[test]
fn an_expired_connection_is_gone() {
    let mut director = direct_router();
    sends(&mut director, &[SYN, ACK]);
    director.waits(899);
    sends(&mut director, &[ACK]);
    director.waits(900);
    let late = frame(CLIENT, VIP).tcp(ACK);
    director.receives(&late).is(Verdict::Pass(Reason::NotSchedulable));
    assert_eq!((director.connection(CLIENT, VIP), director.load(0)), (None, (0, 0)));
}

#[test]
fn a_syn_on_an_expired_connection_is_scheduled_anew_under_every_mode() {
    let mut director = direct_router();
    director.tables.maps.tunables.conn_reuse_mode = 0;
    sends(&mut director, &[SYN, ACK]);
    director.waits(900);
    sends(&mut director, &[SYN]);
    assert_eq!((dest(&director), director.state(CLIENT, VIP)), (1, ("SYN_RECV", 60)));
    assert_eq!((director.load(0), director.load(1)), ((0, 0), (1, 0)));
}

#[test]
fn connections_live_over_the_wrapping_of_the_clock() {
    let mut director = direct_router();
    director.tables.maps.now = u32::MAX - 100;
    sends(&mut director, &[SYN, ACK]);
    director.waits(600);
    assert_eq!(director.state(CLIENT, VIP), ("ESTABLISHED", 300));
    sends(&mut director, &[ACK]);
    director.waits(900);
    director.receives(&frame(CLIENT, VIP).tcp(ACK)).is(Verdict::Pass(Reason::NotSchedulable));
}

#[test]
fn a_changed_timeout_takes_effect_at_the_next_packet() {
    let mut director = direct_router();
    sends(&mut director, &[SYN, ACK]);
    director.tables.maps.tunables.timeouts[1] = 5 * 100;
    assert_eq!(director.state(CLIENT, VIP), ("ESTABLISHED", 900));
    sends(&mut director, &[ACK]);
    assert_eq!(director.state(CLIENT, VIP), ("ESTABLISHED", 5));
}

#[test]
fn packets_to_a_removed_real_server_are_dropped_and_do_not_prolong_the_connection() {
    let mut director = direct_router();
    sends(&mut director, &[SYN, ACK]);
    director.tables.maps.dests[0].flags = Dest::USED;
    director.waits(10);
    for flags in [ACK, SYN, FIN, RST] {
        let segment = frame(CLIENT, VIP).tcp(flags);
        director.receives(&segment).is(Verdict::Drop(Reason::DestRemoved)).carries(&segment);
    }
    assert_eq!(director.state(CLIENT, VIP), ("ESTABLISHED", 890));

    // Added again, it goes on.
    director.tables.maps.dests[0].flags |= Dest::AVAILABLE;
    sends(&mut director, &[ACK]);
    assert_eq!(director.state(CLIENT, VIP), ("ESTABLISHED", 900));
}

#[test]
fn with_expire_nodest_conn_the_connection_of_a_removed_real_server_ends() {
    let removed = || {
        let mut director = direct_router();
        director.tables.maps.tunables.expire_nodest_conn = 1;
        sends(&mut director, &[SYN, ACK]);
        director.tables.maps.dests[0].flags = Dest::USED;
        director
    };
    let mut director = removed();
    let segment = frame(CLIENT, VIP).tcp(ACK);
    director.receives(&segment).is(Verdict::Pass(Reason::NotSchedulable));
    assert_eq!(director.connection(CLIENT, VIP), None);

    let mut director = removed();
    sends(&mut director, &[SYN]);
    assert_eq!((dest(&director), director.load(0)), (1, (0, 0)));
}
