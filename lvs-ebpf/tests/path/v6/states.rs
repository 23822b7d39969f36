//! States and lifetimes are those of IPv4.

use lvs_common::{
    map::Method,
    verdict::{Reason, Verdict},
};

use super::{
    frame::frame,
    layout::{CLIENT, Directs as _, RIPS, VIP, director},
};
use crate::frame::{ACK, FIN, RST, SYN};

/// Sends segments, `C` from the client and `S` from the real server; the states after each.
fn walk(method: Method, segments: &[(char, u8)]) -> Vec<(&'static str, u32)> {
    let mut director = director(method);
    let one = |(from, flags): &(char, u8)| {
        let segment = if *from == 'C' { frame(CLIENT, VIP) } else { frame(RIPS[0], CLIENT) };
        director.directs(&segment.tcp(*flags));
        director.only_state()
    };
    segments.iter().map(one).collect()
}

#[test]
fn segments_take_connections_through_the_states() {
    let open = [('C', SYN), ('C', ACK), ('C', FIN | ACK), ('C', RST)];
    let states = [("SYN_RECV", 60), ("ESTABLISHED", 900), ("FIN_WAIT", 120), ("CLOSE", 10)];
    assert_eq!(walk(Method::DIRECT_ROUTE, &open), states);
    let open = [('C', SYN), ('S', SYN | ACK), ('C', ACK), ('S', FIN | ACK), ('C', FIN | ACK)];
    let states = [
        ("SYN_RECV", 60),
        ("SYN_RECV", 60),
        ("ESTABLISHED", 900),
        ("FIN_WAIT", 120),
        ("TIME_WAIT", 120),
    ];
    assert_eq!(walk(Method::MASQ, &open), states);
}

#[test]
fn datagrams_open_and_prolong() {
    let mut director = director(Method::MASQ);
    director.directs(&frame(CLIENT, VIP).udp());
    director.waits(100);
    assert_eq!(director.only_state(), ("UDP", 200));
    director.directs(&frame(RIPS[0], CLIENT).udp());
    assert_eq!(director.only_state(), ("UDP", 300));
}

#[test]
fn an_expired_connection_has_no_replies_and_only_a_syn_opens() {
    let mut director = director(Method::MASQ);
    director.directs(&frame(CLIENT, VIP));
    director.waits(60);
    let reply = frame(RIPS[0], CLIENT).tcp(SYN | ACK);
    director.directs(&reply).is(Verdict::Pass(Reason::NotReply));
    director.directs(&frame(CLIENT, VIP).tcp(ACK)).is(Verdict::Pass(Reason::NotSchedulable));
    assert_eq!(director.entries(), []);
}
