//! State, lifetime and active/inactive after every event in every state, against the kernel's
//! tables (`tcp_states` in `ip_vs_proto_tcp.c`) as its documentation of the wire has them, and
//! against sequences seen on a running kernel.

use lvs_common::{
    conntable::{self, New},
    map::Method,
    tcp_state::State,
};

use crate::{
    director::{Director, FORWARDED, RETURNED},
    frame::{ACK, FIN, Frame, PSH, RST, SYN, frame},
    layout::{CLIENT, RIPS, VIP, connection_key, director, word_of},
};

/// Codes, names, seconds to live, whether active; in the order of the columns below.
const STATES: [(&str, &str, u32, bool); 11] = [
    ("NO", "NONE", 2, false),
    ("ES", "ESTABLISHED", 900, true),
    ("SS", "SYN_SENT", 120, true),
    ("SR", "SYN_RECV", 60, true),
    ("FW", "FIN_WAIT", 120, false),
    ("TW", "TIME_WAIT", 120, false),
    ("CL", "CLOSE", 10, false),
    ("CW", "CLOSE_WAIT", 60, false),
    ("LA", "LAST_ACK", 30, false),
    ("LI", "LISTEN", 120, false),
    ("SA", "SYNACK", 120, true),
];

const FROM_CLIENT: &str = "
    syn SR ES ES SR SR SR SR SR SR SR SR
    fin CL CW SS TW TW TW CL CW LA LI TW
    ack ES ES SS ES FW TW CL CW CL LI ES
    rst CL CL CL SR CL CL CL CL LA LI SR
    psh CL CL CL CL CL CL CL CL CL CL CL";

const FROM_SERVER: &str = "
    syn SS ES SS SR SS SS SS SS SS LI SR
    fin TW FW SS TW FW TW CL TW LA LI TW
    ack ES ES SS ES FW TW CL CW LA ES ES
    rst CL CL SS CL CL TW CL CL CL CL CL
    psh CL CL CL CL CL CL CL CL CL CL CL";

const FROM_CLIENT_ONLY: &str = "
    syn SR ES ES SR SR SR SR SR SR SR SR
    fin CL FW SS TW FW TW CL CW LA LI TW
    ack ES ES SS ES FW TW CL CW CL LI ES
    rst CL CL CL SR CL CL CL CL LA LI CL
    psh CL CL CL CL CL CL CL CL CL CL CL";

/// Flags of an event, alone and with all that comes after it in precedence: RST, SYN, FIN, ACK.
fn flags_of(event: &str) -> &'static [u8] {
    match event {
        "rst" => &[RST, RST | SYN, RST | FIN, RST | ACK, RST | SYN | FIN | ACK | PSH],
        "syn" => &[SYN, SYN | ACK, SYN | FIN, SYN | FIN | ACK],
        "fin" => &[FIN, FIN | ACK, FIN | PSH],
        "ack" => &[ACK, ACK | PSH],
        _ => &[PSH, 0],
    }
}

/// A director with a connection in a state to its first real server.
fn in_state(method: Method, number: u8) -> Director {
    let mut director = director(method);
    let maps = &mut director.tables.maps;
    maps.tunables.conn_reuse_mode = 0;
    let (key, state) = (connection_key(), State::from_number(number));
    let new = New {
        key,
        dest: 0,
        method,
        keeps_port: false,
        state,
        peer: word_of(RIPS[0]),
        now: maps.now,
        expires: maps.now + 100,
    };
    let hashes = conntable::hashes(key.client, maps.tunables.seed);
    conntable::insert(&director.tables.conns(), hashes, new);
    let load = &mut director.tables.maps.loads[0];
    (load.total, load.active) = (1, u64::from(state.is_active()));
    director
}

fn matches_the_table(table: &str, method: Method, segment: &Frame) {
    for row in table.trim().lines() {
        let mut words = row.split_whitespace();
        let event = words.next().unwrap();
        for ((from, column), to) in (0..).zip(STATES).zip(words) {
            let (_, after, seconds, is_active) = *STATES.iter().find(|s| s.0 == to).unwrap();
            for flags in flags_of(event) {
                let mut director = in_state(method, from);
                director.receives(&segment.clone().tcp(*flags));
                let context = format!("{event} ({flags:#04x}) in {}", column.1);
                assert_eq!(director.state(CLIENT, VIP), (after, seconds), "{context}");
                let load = if is_active { (1, 0) } else { (0, 1) };
                assert_eq!(director.load(0), load, "{context}");
            }
        }
    }
}

#[test]
fn every_segment_of_a_client_in_every_state_of_nat() {
    matches_the_table(FROM_CLIENT, Method::MASQ, &frame(CLIENT, VIP));
}

#[test]
fn every_segment_of_a_real_server_in_every_state_of_nat() {
    matches_the_table(FROM_SERVER, Method::MASQ, &frame(RIPS[0], CLIENT));
}

#[test]
fn every_segment_in_every_state_of_direct_routing() {
    matches_the_table(FROM_CLIENT_ONLY, Method::DIRECT_ROUTE, &frame(CLIENT, VIP));
}

/// Sends segments, `C` from the client and `S` from the real server; the states after each.
fn walk(method: Method, segments: &[(char, u8)]) -> Vec<&'static str> {
    let mut director = director(method);
    let one = |(from, flags): &(char, u8)| {
        let (segment, verdict) = match from {
            'C' => (frame(CLIENT, VIP), FORWARDED),
            _ => (frame(RIPS[0], CLIENT), RETURNED),
        };
        director.receives(&segment.tcp(*flags)).is(verdict);
        director.state(CLIENT, VIP).0
    };
    segments.iter().map(one).collect()
}

#[test]
fn sequences_seen_on_a_kernel_with_direct_routing() {
    let walk = |flags: &[u8]| {
        let segments: Vec<_> = flags.iter().map(|flags| ('C', *flags)).collect();
        walk(Method::DIRECT_ROUTE, &segments)
    };
    assert_eq!(walk(&[SYN, ACK, FIN | ACK, RST]), ["SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE"]);
    assert_eq!(walk(&[SYN, RST]), ["SYN_RECV", "SYN_RECV"]);
    assert_eq!(walk(&[SYN, FIN | ACK]), ["SYN_RECV", "TIME_WAIT"]);
    assert_eq!(walk(&[SYN, ACK, SYN]), ["SYN_RECV", "ESTABLISHED", "ESTABLISHED"]);
}

#[test]
fn sequences_seen_on_a_kernel_with_nat() {
    let open = [('C', SYN), ('S', SYN | ACK), ('C', ACK)];
    let after = |rest: &[(char, u8)]| walk(Method::MASQ, &[&open[..], rest].concat()).split_off(2);
    assert_eq!(
        after(&[('S', FIN | ACK), ('C', FIN | ACK)]),
        ["ESTABLISHED", "FIN_WAIT", "TIME_WAIT"]
    );
    assert_eq!(
        after(&[('C', FIN | ACK), ('S', FIN | ACK)]),
        ["ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT"]
    );
    assert_eq!(walk(Method::MASQ, &[('C', SYN), ('S', RST | ACK)]), ["SYN_RECV", "CLOSE"]);
}

#[test]
fn every_datagram_either_way_prolongs_and_none_is_active() {
    let mut director = director(Method::MASQ);
    director.receives(&frame(CLIENT, VIP).udp());
    for from_client in [true, false, true] {
        director.waits(100);
        assert_eq!(director.state(CLIENT, VIP), ("UDP", 200));
        let datagram = if from_client { frame(CLIENT, VIP) } else { frame(RIPS[0], CLIENT) };
        director.receives(&datagram.udp());
        assert_eq!((director.state(CLIENT, VIP), director.load(2)), (("UDP", 300), (0, 1)));
    }
}
