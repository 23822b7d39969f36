//! SCTP: which packets open associations, their states, and the CRC behind NAT.

use std::net::SocketAddrV4;

use lvs_common::{
    map::Method,
    net::protocol,
    sched::Kind,
    verdict::{Reason, Verdict},
    wire::chunk::{ABORT, COOKIE_ACK, COOKIE_ECHO, INIT, INIT_ACK, SHUTDOWN, SHUTDOWN_ACK},
};

use crate::{
    cut::cut,
    director::{Director, FORWARDED, RETURNED},
    frame::{Frame, frame},
    layout::{CLIENT, CLIENT_MAC, DIRECTOR_MAC, INSIDE_MAC, RIP_MACS, RIPS, VIP, director, key},
};

const DATA: u8 = 0;

/// A packet of these chunks, its CRC made by another implementation.
fn sctp(source: SocketAddrV4, destination: SocketAddrV4, chunks: &[(u8, &[u8])]) -> Frame {
    let mut packet = Vec::new();
    packet.extend(source.port().to_be_bytes());
    packet.extend(destination.port().to_be_bytes());
    packet.extend([0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0]);
    for (kind, value) in chunks {
        let length = u16::try_from(value.len() + 4).unwrap();
        packet.extend([*kind, 0]);
        packet.extend(length.to_be_bytes());
        packet.extend(*value);
        packet.resize(packet.len().next_multiple_of(4), 0);
    }
    let crc = crc32c::crc32c(&packet);
    packet[8..12].copy_from_slice(&crc.to_le_bytes());
    frame(source, destination).protocol(protocol::SCTP).payload(packet)
}

fn of(kind: u8) -> [(u8, &'static [u8]); 1] {
    [(kind, b"value")]
}

/// A director with an SCTP service besides the others; its real servers' slots are 4 and 5.
fn serving(method: Method) -> Director {
    let mut director = director(method);
    let dests: Vec<_> = director.tables.maps.dests[..2].iter().map(|dest| (*dest, 1)).collect();
    director.tables.add_service(key(VIP, protocol::SCTP), Kind::Rr, &dests);
    director
}

#[test]
fn an_association_through_nat_has_its_states_and_a_right_crc() {
    let mut director = serving(Method::MASQ);
    let rip = RIPS[0];
    let dialogue = [
        (true, INIT, "INIT1", 4),
        (false, INIT_ACK, "C-SENT", 61),
        (true, COOKIE_ECHO, "C-REPLIED", 61),
        (false, COOKIE_ACK, "ESTABLISHED", 900),
        (true, DATA, "ESTABLISHED", 900),
        (false, SHUTDOWN, "S-SENT", 61),
        (true, SHUTDOWN_ACK, "CLOSED", 61),
    ];
    for (asks, kind, state, seconds) in dialogue {
        if asks {
            let expected = sctp(CLIENT, rip, &of(kind)).macs(INSIDE_MAC, RIP_MACS[0]).aged();
            director.receives(&sctp(CLIENT, VIP, &of(kind))).is(FORWARDED).carries(&expected);
        } else {
            let expected = sctp(VIP, CLIENT, &of(kind)).macs(DIRECTOR_MAC, CLIENT_MAC).aged();
            director.receives(&sctp(rip, CLIENT, &of(kind))).is(RETURNED).carries(&expected);
        }
        assert_eq!(director.state(CLIENT, VIP), (state, seconds), "after chunk {kind}");
        let active = u64::from(state == "ESTABLISHED");
        assert_eq!(director.load(4), (active, 1 - active), "after chunk {kind}");
    }
}

#[test]
fn only_init_opens_unless_sloppy() {
    for (sloppy, kind, opens) in [
        (0, INIT, true),
        (0, DATA, false),
        (0, COOKIE_ECHO, false),
        (0, ABORT, false),
        (1, DATA, true),
        (1, ABORT, false),
    ] {
        let mut director = serving(Method::DIRECT_ROUTE);
        director.tables.maps.tunables.sloppy_sctp = sloppy;
        let expected = if opens { FORWARDED } else { Verdict::Pass(Reason::NotSchedulable) };
        director.receives(&sctp(CLIENT, VIP, &of(kind))).is(expected);
    }
}

#[test]
fn an_abort_behind_a_cookie_ends_the_association() {
    let mut director = serving(Method::DIRECT_ROUTE);
    director.receives(&sctp(CLIENT, VIP, &of(INIT))).is(FORWARDED);
    let chunks: [(u8, &[u8]); 2] = [(COOKIE_ECHO, b"a cookie"), (ABORT, b"")];
    director.receives(&sctp(CLIENT, VIP, &chunks)).is(FORWARDED);
    assert_eq!(director.state(CLIENT, VIP).0, "CLOSED");
    // Over, so another INIT is scheduled anew.
    director.receives(&sctp(CLIENT, VIP, &of(INIT))).is(FORWARDED);
    assert_eq!(director.connection(CLIENT, VIP).unwrap().dest(), 5);
}

#[test]
fn a_fragment_to_another_port_has_no_crc_that_could_follow() {
    let value = [7; 3000];
    let chunks: [(u8, &[u8]); 1] = [(DATA, &value)];
    let fragments = cut(&sctp(CLIENT, VIP, &chunks).may_fragment(7).bytes(), 1480);
    let mut director = serving(Method::MASQ);
    director.receives(&sctp(CLIENT, VIP, &of(INIT))).is(FORWARDED);
    director.receives_bytes(&fragments[0]).is(Verdict::Drop(Reason::FragmentCrc));
    // To the same port nothing is to follow.
    let mut director = serving(Method::DIRECT_ROUTE);
    director.receives(&sctp(CLIENT, VIP, &of(INIT))).is(FORWARDED);
    for fragment in &fragments {
        director.receives_bytes(fragment).is(FORWARDED);
    }
}

#[test]
fn cut_short_anywhere_it_is_malformed() {
    let bytes = sctp(CLIENT, VIP, &of(INIT)).bytes();
    for length in 0..bytes.len() {
        let mut director = serving(Method::MASQ);
        director.receives_bytes(&bytes[..length]).is(Verdict::Pass(Reason::Malformed));
    }
}
