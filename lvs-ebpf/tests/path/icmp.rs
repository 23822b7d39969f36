//! ICMP errors: they reach whoever sent the packet that they are about, as if nobody stood between.

use std::net::Ipv4Addr;

use lvs_common::{
    map::{Counters, Method, NextHop, tunnel},
    net::{Be16, checksum},
    verdict::{Reason, Verdict},
};
use lvs_ebpf::tables::Route;

use crate::{
    complaint::{Complaint, GUE_PORT, wrapped},
    director::{Director, FORWARDED, Outcome, RETURNED},
    frame::{ACK, Frame, SYN, frame},
    layout::{
        CLIENT, CLIENT_MAC, DIP, DIRECTOR_MAC, INSIDE_MAC, RIP_MACS, RIPS, VIP, director, end,
    },
};

/// Types and codes: all of what is relayed.
const ERRORS: [(u8, u8); 5] = [(3, 1), (3, 3), (3, 4), (4, 0), (11, 0)];
/// Some router.
pub(crate) const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 200);
const INFO: [u8; 4] = [0, 0, 5, 120];
const ID: u16 = 0x4321;

/// An error from outside, about a packet of the VIP's.
fn from_outside(what: (u8, u8), quoted: &[u8]) -> Complaint {
    Complaint {
        macs: (CLIENT_MAC, DIRECTOR_MAC),
        from: ROUTER,
        to: *VIP.ip(),
        ttl: 60,
        tos: 0xc0,
        id: ID,
        what,
        info: INFO,
        quoted: quoted.to_vec(),
    }
}

/// An error from inside, about a packet to a real server.
pub(crate) fn from_inside(
    from: Ipv4Addr,
    to: Ipv4Addr,
    what: (u8, u8),
    quoted: &[u8],
) -> Complaint {
    let macs = (RIP_MACS[0], INSIDE_MAC);
    Complaint { macs, from, to, ..from_outside(what, quoted) }
}

/// A director that knows the client: of TCP, of UDP.
fn acquainted(method: Method) -> Director {
    let mut director = director(method);
    for dest in &mut director.tables.maps.dests {
        dest.tunnel_port = Be16::new(GUE_PORT);
    }
    for segment in
        [frame(CLIENT, VIP).tcp(SYN), frame(CLIENT, VIP).tcp(ACK), frame(CLIENT, VIP).udp()]
    {
        director.receives(&segment).is(FORWARDED);
    }
    director.tables.maps.counters.fill(Counters::default());
    director
}

/// What the two protocols make of a packet.
fn kinds(packet: &Frame) -> [Frame; 2] {
    [packet.clone().tcp(ACK).payload(*b"some data"), packet.clone().udp().payload(*b"other")]
}

#[track_caller]
fn became(outcome: &Outcome, verdict: Verdict, expected: &[u8]) {
    assert_eq!(outcome.is(verdict).after, expected, "{outcome}");
}

#[track_caller]
fn counted(director: &Director, requests: (u64, u64), replies: (u64, u64)) {
    let mut all = Counters::default();
    director.tables.maps.counters.iter().for_each(|counters| all += *counters);
    assert_eq!((all.in_packets, all.in_bytes), requests);
    assert_eq!((all.out_packets, all.out_bytes), replies);
}

#[test]
fn in_nat_what_is_said_to_the_vip_reaches_the_real_server_as_said_to_itself() {
    for what in ERRORS {
        for (seen, sent) in kinds(&frame(VIP, CLIENT)).iter().zip(kinds(&frame(RIPS[0], CLIENT))) {
            let mut director = acquainted(Method::MASQ);
            let before = director.state(CLIENT, VIP);
            // The checksum inside is that of the packet that the client got.
            let mut quoted = sent.packet();
            let check = if seen.packet()[9] == 6 { 36..38 } else { 26..28 };
            quoted[check.clone()].copy_from_slice(&seen.packet()[check]);
            let error = from_outside(what, &seen.packet());
            let told = Complaint { to: *RIPS[0].ip(), quoted, ..error.clone() };
            let outcome = director.receives_bytes(&error.bytes());
            became(&outcome, FORWARDED, &told.hop((INSIDE_MAC, RIP_MACS[0])).bytes());
            counted(&director, (1, error.packet().len() as u64), (0, 0));
            assert_eq!(director.state(CLIENT, VIP), before);
        }
    }
}

#[test]
fn in_nat_what_is_said_of_a_request_reaches_the_client_as_the_vips_word() {
    // The real server itself, and a router before it.
    for from in [*RIPS[0].ip(), Ipv4Addr::new(203, 0, 113, 254)] {
        for what in ERRORS {
            let pairs = kinds(&frame(CLIENT, RIPS[0])).into_iter().zip(kinds(&frame(CLIENT, VIP)));
            for (seen, sent) in pairs {
                let mut director = acquainted(Method::MASQ);
                let mut quoted = sent.packet();
                let check = if seen.packet()[9] == 6 { 36..38 } else { 26..28 };
                quoted[check.clone()].copy_from_slice(&seen.packet()[check]);
                let error = from_inside(from, *CLIENT.ip(), what, &seen.packet());
                let told = Complaint { from: *VIP.ip(), quoted, ..error.clone() };
                let outcome = director.receives_bytes(&error.bytes());
                became(&outcome, RETURNED, &told.hop((DIRECTOR_MAC, CLIENT_MAC)).bytes());
                counted(&director, (0, 0), (1, error.packet().len() as u64));
            }
        }
    }
}

#[test]
fn what_quotes_no_more_than_ports_and_has_options_is_relayed() {
    let options = [7, 7, 4, 0, 0, 0, 0, 0];
    let seen = frame(VIP, CLIENT).options(&options).udp().payload([9; 64]).packet();
    let sent = frame(RIPS[0], CLIENT).options(&options).udp().payload([9; 64]).packet();
    // Twenty-eight bytes of header and the first eight behind it.
    let mut quoted = sent[..36].to_vec();
    quoted[34..36].copy_from_slice(&seen[34..36]);
    let error = from_outside((3, 3), &seen[..36]);
    let told = Complaint { to: *RIPS[0].ip(), quoted, ..error.clone() };
    let outcome = acquainted(Method::MASQ).receives_bytes(&error.bytes());
    became(&outcome, FORWARDED, &told.hop((INSIDE_MAC, RIP_MACS[0])).bytes());

    let short = from_outside((3, 3), &seen[..35]);
    acquainted(Method::MASQ).receives_bytes(&short.bytes()).is(Verdict::Pass(Reason::Unrelated));
}

#[test]
fn a_client_without_a_known_neighbour_is_left_to_the_stack() {
    let mut director = acquainted(Method::MASQ);
    director.tables.maps.default_route = Route::NoNeighbour;
    let seen = frame(CLIENT, RIPS[0]).tcp(ACK).packet();
    let error = from_inside(*RIPS[0].ip(), *CLIENT.ip(), (3, 3), &seen);
    let outcome = director.receives_bytes(&error.bytes());
    outcome.is(Verdict::Pass(Reason::ByStack));
    // Its own hop is the stack's to take.
    assert_eq!(outcome.after[22], 60);
    assert_eq!(outcome.after[26..30], VIP.ip().octets());
    director.tables.maps.default_route = Route::None;
    director.receives_bytes(&error.bytes()).is(Verdict::Drop(Reason::NoRoute));
}

#[test]
fn in_dr_it_goes_to_the_real_server_as_it_is_and_to_the_client_by_the_stack() {
    for what in ERRORS {
        for seen in kinds(&frame(VIP, CLIENT)) {
            let mut director = acquainted(Method::DIRECT_ROUTE);
            let error = from_outside(what, &seen.packet());
            let outcome = director.receives_bytes(&error.bytes());
            became(&outcome, FORWARDED, &error.clone().hop((INSIDE_MAC, RIP_MACS[0])).bytes());
            counted(&director, (1, error.packet().len() as u64), (0, 0));
        }
        for seen in kinds(&frame(CLIENT, VIP)) {
            let mut director = acquainted(Method::DIRECT_ROUTE);
            let error = from_inside(*RIPS[0].ip(), *CLIENT.ip(), what, &seen.packet());
            let outcome = director.receives_bytes(&error.bytes());
            became(&outcome, Verdict::Pass(Reason::ByStack), &error.bytes());
            counted(&director, (0, 0), (1, error.packet().len() as u64));
        }
    }
}

#[test]
fn in_tun_it_goes_through_the_tunnel_as_it_is() {
    for seen in kinds(&frame(VIP, CLIENT)) {
        let mut director = acquainted(Method::TUNNEL);
        let error = from_outside((3, 4), &seen.packet());
        let outcome = director.receives_bytes(&error.bytes());
        let inside = Complaint { ttl: 59, ..error.clone() }.packet();
        outcome.is(FORWARDED);
        assert_eq!(outcome.after[34..], inside, "{outcome}");
        assert_eq!(outcome.after[23], 4);
        assert_eq!((outcome.after[15], outcome.after[22]), (0xc0, 59));
        counted(&director, (1, error.packet().len() as u64), (0, 0));
    }
}

pub(crate) const WRAPS: [(u8, u32); 4] = [
    (tunnel::IPIP, 20),
    (tunnel::GUE, 32),
    (tunnel::GRE, 24),
    (tunnel::GRE | tunnel::CHECKSUM, 28),
];

pub(crate) fn tunnels(wrap: u8) -> Director {
    let mut director = acquainted(Method::TUNNEL);
    director.tables.maps.dests.iter_mut().for_each(|dest| dest.tunnel = wrap);
    director
}

#[test]
fn what_is_said_of_a_tunnels_packet_the_client_hears_of_its_own() {
    for (wrap, headers) in WRAPS {
        for what in ERRORS {
            for request in kinds(&frame(CLIENT, VIP).tos(0x0b).may_fragment(9)) {
                let request =
                    if what == (3, 4) { frame(CLIENT, VIP).tos(0x0b).udp() } else { request };
                let inside = request.aged().packet();
                let mut director = tunnels(wrap);
                let error = from_inside(ROUTER, DIP, what, &wrapped(wrap, &inside));
                let mtu = u32::from_be_bytes(INFO) - headers;
                let told = Complaint {
                    macs: (DIRECTOR_MAC, CLIENT_MAC),
                    from: *VIP.ip(),
                    to: *CLIENT.ip(),
                    ttl: 64,
                    tos: 0xca & 0xfc,
                    id: u16::from_be_bytes([inside[4], inside[5]]),
                    info: if what == (3, 4) { mtu.to_be_bytes() } else { INFO },
                    quoted: inside,
                    ..error.clone()
                };
                let mut expected = told.bytes();
                // (offending TOS & 0x1e) | 0xc0, which etherparse's DSCP does not reach.
                expected[15] = 0xca;
                expected[24..26].fill(0);
                let sum = !checksum::sum(&expected[14..34]);
                expected[24..26].copy_from_slice(&sum.to_ne_bytes());
                let outcome = director.receives_bytes(&error.bytes());
                became(&outcome, RETURNED, &expected);
                counted(&director, (0, 0), (1, error.packet().len() as u64));
            }
        }
    }
}

#[test]
fn a_path_is_believed_to_be_no_wider_than_the_first_link_and_no_narrower_than_any() {
    for (told, link, mtu) in [(9000_u32, 1400, 1380), (0, 1500, 532), (68, 1500, 532)] {
        let mut director = tunnels(tunnel::IPIP);
        director.tables.maps.next_hops.iter_mut().for_each(|hop| hop.mtu = link);
        let inside = frame(CLIENT, VIP).aged().packet();
        let quoted = wrapped(tunnel::IPIP, &inside);
        let error =
            Complaint { info: told.to_be_bytes(), ..from_inside(ROUTER, DIP, (3, 4), &quoted) };
        let outcome = director.receives_bytes(&error.bytes());
        assert_eq!(outcome.is(RETURNED).after[38..42], u32::to_be_bytes(mtu));
    }
}

#[test]
fn no_error_is_longer_than_576_bytes() {
    for (payload, length) in [(480, 548), (508, 576), (509, 576), (1400, 576)] {
        let inside = frame(CLIENT, VIP).tcp(ACK).payload(vec![3; payload]).aged().packet();
        let error = from_inside(ROUTER, DIP, (3, 3), &wrapped(tunnel::IPIP, &inside));
        let outcome = tunnels(tunnel::IPIP).receives_bytes(&error.bytes());
        assert_eq!(outcome.is(RETURNED).after.len(), 14 + length);
        assert_eq!(outcome.after[42..], inside[..length - 28]);
        assert_eq!(checksum::sum(&outcome.after[34..]), 0xffff);
    }
}

#[test]
fn a_wrong_checksum_is_not_put_right() {
    let client = frame(VIP, CLIENT).tcp(ACK).packet();
    let server = frame(CLIENT, RIPS[0]).tcp(ACK).packet();
    let tunneled = wrapped(tunnel::IPIP, &frame(CLIENT, VIP).tcp(ACK).packet());
    for (method, error) in [
        (Method::MASQ, from_outside((3, 1), &client)),
        (Method::MASQ, from_inside(*RIPS[0].ip(), *CLIENT.ip(), (3, 1), &server)),
        (Method::TUNNEL, from_inside(ROUTER, DIP, (3, 1), &tunneled)),
    ] {
        let mut bytes = error.bytes();
        bytes[37] ^= 1;
        acquainted(method).receives_bytes(&bytes).is(Verdict::Drop(Reason::BadChecksum));
    }
    // Who is told as it is judges for himself.
    let mut bytes = from_outside((3, 1), &client).bytes();
    bytes[37] ^= 1;
    acquainted(Method::DIRECT_ROUTE).receives_bytes(&bytes).is(FORWARDED);
}

#[test]
fn what_is_about_no_connection_is_the_stacks() {
    let unrelated = Verdict::Pass(Reason::Unrelated);
    let other = end(192, 0, 2, 11, 40_000);
    let quoted = |from, to| frame(from, to).tcp(ACK).packet();
    let inside = quoted(CLIENT, VIP);
    for method in [Method::MASQ, Method::DIRECT_ROUTE, Method::TUNNEL] {
        let mut director = acquainted(method);
        let mut later = quoted(VIP, CLIENT);
        later[7] = 1;
        let mut of_icmp = quoted(VIP, CLIENT);
        of_icmp[9] = 1;
        for error in [
            from_outside((3, 1), &quoted(VIP, other)),
            from_outside((3, 1), &quoted(other, CLIENT)),
            from_outside((3, 1), &later),
            from_outside((3, 1), &of_icmp),
            from_outside((3, 1), &[]),
            from_inside(ROUTER, *CLIENT.ip(), (3, 1), &quoted(other, VIP)),
            from_inside(ROUTER, *CLIENT.ip(), (3, 1), &quoted(other, RIPS[0])),
            from_inside(ROUTER, DIP, (3, 1), &wrapped(tunnel::GUE, &inside)),
            from_inside(ROUTER, DIP, (3, 1), &wrapped(tunnel::GRE, &inside)),
            from_inside(ROUTER, DIP, (3, 1), &wrapped(tunnel::IPIP, &quoted(other, VIP))),
            from_inside(ROUTER, DIP, (3, 1), &wrapped(tunnel::IPIP, &inside[..24])),
        ] {
            director.receives_bytes(&error.bytes()).is(unrelated);
        }
        counted(&director, (0, 0), (0, 0));
    }
}

#[test]
fn what_is_no_error_is_the_stacks() {
    // Echo, redirect, and what nobody knows.
    for kind in [0, 5, 8, 13, 255] {
        let quoted = frame(VIP, CLIENT).tcp(ACK).packet();
        let message = from_outside((kind, 0), &quoted);
        acquainted(Method::MASQ)
            .receives_bytes(&message.bytes())
            .is(Verdict::Pass(Reason::OtherProtocol));
    }
}

#[test]
fn its_own_time_to_live_ends_too() {
    let quoted = frame(VIP, CLIENT).tcp(ACK).packet();
    for method in [Method::MASQ, Method::DIRECT_ROUTE, Method::TUNNEL] {
        let error = Complaint { ttl: 1, ..from_outside((3, 1), &quoted) };
        acquainted(method).receives_bytes(&error.bytes()).is(Verdict::Drop(Reason::TtlExpired));
    }
}

#[test]
fn without_a_next_hop_nobody_is_told() {
    let quoted = frame(VIP, CLIENT).tcp(ACK).packet();
    for method in [Method::MASQ, Method::DIRECT_ROUTE, Method::TUNNEL] {
        let mut director = acquainted(method);
        let dests = director.tables.maps.dests.iter_mut();
        dests.for_each(|dest| dest.next_hop = NextHop::UNRESOLVED);
        let error = from_outside((3, 1), &quoted);
        director.receives_bytes(&error.bytes()).is(Verdict::Drop(Reason::NoNextHop));
    }
}
