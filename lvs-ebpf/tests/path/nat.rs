//! NAT: requests and replies against frames that were built anew with the other addresses.

use lvs_common::{
    map::{Method, NextHop},
    net::Be16,
    verdict::{Reason, Verdict},
};
use lvs_ebpf::tables::Route;

use crate::{
    director::{Director, FORWARDED, RETURNED},
    frame::{ACK, Forwarded as _, Frame, SYN, frame},
    layout::{
        CLIENT, CLIENT_MAC, DIRECTOR_MAC, INSIDE_MAC, RIP_MACS, RIPS, VIP, be32, director, end,
    },
};

fn masquerader() -> Director {
    director(Method::MASQ)
}

/// The first real server's reply, as it reaches the director.
fn reply() -> Frame {
    frame(RIPS[0], CLIENT).macs(RIP_MACS[0], INSIDE_MAC)
}

/// The reply as the client must get it.
fn returned(reply: &Frame) -> Frame {
    reply.clone().source(VIP).aged().macs(DIRECTOR_MAC, CLIENT_MAC)
}

/// The same frame as TCP and UDP with payloads of odd and even lengths, with and without IP options.
fn kinds(of: &Frame, flags: u8) -> Vec<Frame> {
    let mut frames = Vec::new();
    for payload in [&b""[..], b"a", b"ab", b"abc", &[0xff; 1400], &[0; 1399]] {
        for options in [&[][..], &[1; 4], &[7, 39, 4, 0, 0, 0, 0, 0], &[1; 40]] {
            let frame = of.clone().payload(payload).options(options);
            frames.push(frame.clone().tcp(flags));
            frames.push(frame.udp());
        }
    }
    frames
}

/// A frame whose transport checksum, at this offset in the bytes that are made of it, is `wanted`.
fn with_checksum(of: &Frame, at: usize, wanted: u16, made: impl Fn(&Frame) -> Frame) -> Frame {
    let frames = (0..=u16::MAX).map(|word| of.clone().payload(word.to_be_bytes()));
    let has_it = |frame: &Frame| made(frame).bytes()[at..at + 2] == wanted.to_be_bytes();
    frames.into_iter().find(has_it).expect("one of all words makes up the difference")
}

/// Offsets of the checksums behind an IP header without options.
const TCP_CHECK: usize = 14 + 20 + 16;
const UDP_CHECK: usize = 14 + 20 + 6;

#[test]
fn requests_and_replies_are_as_if_sent_with_the_other_addresses() {
    for request in kinds(&frame(CLIENT, VIP), SYN) {
        masquerader().receives(&request).is(FORWARDED).carries(&request.requested(Method::MASQ));
    }
    for reply in kinds(&reply(), SYN | ACK) {
        let mut director = masquerader();
        director.receives(&frame(CLIENT, VIP).tcp(SYN));
        director.receives(&frame(CLIENT, VIP).udp());
        director.receives(&reply).is(RETURNED).carries(&returned(&reply));
    }
}

#[test]
fn padding_stays_and_does_not_count() {
    let request = frame(CLIENT, VIP).padding(6);
    masquerader().receives(&request).is(FORWARDED).carries(&request.requested(Method::MASQ));
}

#[test]
fn checksums_at_the_ends_of_their_range_come_out_right() {
    let request = frame(CLIENT, VIP);
    for wanted in [0x0000, 0x0001, 0xfffe] {
        let tcp = request.clone().tcp(SYN);
        for frame in [
            with_checksum(&tcp, TCP_CHECK, wanted, Frame::clone),
            with_checksum(&tcp, TCP_CHECK, wanted, |it| it.requested(Method::MASQ)),
        ] {
            masquerader().receives(&frame).is(FORWARDED).carries(&frame.requested(Method::MASQ));
        }
    }
    for wanted in [0x0001, 0xfffe, 0xffff] {
        let udp = request.clone().udp();
        for frame in [
            with_checksum(&udp, UDP_CHECK, wanted, Frame::clone),
            with_checksum(&udp, UDP_CHECK, wanted, |it| it.requested(Method::MASQ)),
        ] {
            masquerader().receives(&frame).is(FORWARDED).carries(&frame.requested(Method::MASQ));
        }
    }
}

#[test]
fn a_datagram_without_a_checksum_stays_without() {
    let request = frame(CLIENT, VIP).udp_without_checksum().payload(*b"syslog");
    let mut director = masquerader();
    director.receives(&request).is(FORWARDED).carries(&request.requested(Method::MASQ));
    let reply = reply().udp_without_checksum().payload(*b"odd");
    director.receives(&reply).is(RETURNED).carries(&returned(&reply));
}

#[test]
fn a_real_server_of_port_zero_gets_the_ports_that_clients_ask_for() {
    let mut director = masquerader();
    director.tables.maps.dests[0].port = Be16::new(0);
    let request = frame(CLIENT, VIP);
    let rip = end(203, 0, 113, 11, VIP.port());
    director
        .receives(&request)
        .is(FORWARDED)
        .carries(&request.requested(Method::MASQ).destination(rip));
    let reply = frame(rip, CLIENT).tcp(SYN | ACK);
    director.receives(&reply).is(RETURNED).carries(&returned(&reply));
}

#[test]
fn a_connection_keeps_its_method_when_the_real_server_is_edited() {
    let mut director = masquerader();
    director.receives(&frame(CLIENT, VIP));
    director.tables.maps.dests[0].method = Method::DIRECT_ROUTE;
    let data = frame(CLIENT, VIP).tcp(ACK);
    director.receives(&data).is(FORWARDED).carries(&data.requested(Method::MASQ));
}

#[test]
fn a_packet_of_a_real_server_that_is_no_reply_goes_to_the_stack_as_it_is() {
    let mut director = masquerader();
    director.receives(&frame(CLIENT, VIP));
    let others = [
        frame(RIPS[0], end(192, 0, 2, 10, 40_001)),
        frame(RIPS[0], end(192, 0, 2, 11, 40_000)),
        frame(end(203, 0, 113, 11, 8081), CLIENT),
        frame(RIPS[1], CLIENT),
        frame(RIPS[0], CLIENT).udp(),
    ];
    for frame in others {
        director.receives(&frame).is(Verdict::Pass(Reason::NotReply));
    }
}

#[test]
fn an_expired_connection_has_no_replies() {
    let mut director = masquerader();
    director.receives(&frame(CLIENT, VIP));
    director.waits(60);
    director.receives(&reply().tcp(SYN | ACK)).is(Verdict::Pass(Reason::NotReply));
}

#[test]
fn real_servers_of_direct_routing_are_not_listened_to() {
    let mut director = director(Method::DIRECT_ROUTE);
    director.receives(&frame(CLIENT, VIP));
    let not_ours = frame(end(203, 0, 113, 11, VIP.port()), CLIENT);
    director.receives(&not_ours).is(Verdict::Pass(Reason::NotOurs));
}

#[test]
fn a_real_server_of_both_methods_has_replies_in_nat_connections_only() {
    let mut director = masquerader();
    let tcp = &mut director.tables.maps.dests[0];
    (tcp.method, tcp.port) = (Method::DIRECT_ROUTE, Be16::new(VIP.port()));
    director.receives(&frame(CLIENT, VIP)).is(FORWARDED);
    // Its own traffic, from the very end that the connection was routed to.
    let own = frame(end(203, 0, 113, 11, VIP.port()), CLIENT).tcp(SYN | ACK);
    director.receives(&own).is(Verdict::Pass(Reason::NotReply));
}

#[test]
fn a_reply_reaches_a_client_whose_address_the_filter_takes_for_a_vip() {
    // Shares the VIP's bit: their raw words differ by what the filter's multiplier shifts out.
    let client = colliding_client();
    let mut director = masquerader();
    director.receives(&frame(client, VIP)).is(FORWARDED);
    let reply = frame(RIPS[0], client).tcp(SYN | ACK);
    director.receives(&reply).is(RETURNED).carries(&returned(&reply));
    let stray = frame(RIPS[1], client).tcp(SYN | ACK);
    director.receives(&stray).is(Verdict::Pass(Reason::NoService));
}

/// A client in the same place of the address filter as the VIP.
fn colliding_client() -> std::net::SocketAddrV4 {
    let place = |address| lvs_common::map::Addresses::place(be32(address));
    let vip = place(*VIP.ip());
    let address = (1..u32::MAX).map(std::net::Ipv4Addr::from);
    let address = address.filter(|address| address != VIP.ip()).find(|a| place(*a) == vip);
    std::net::SocketAddrV4::new(address.unwrap(), 40_000)
}

#[test]
fn a_real_server_may_be_a_client_of_the_service() {
    let mut director = masquerader();
    let inner = end(203, 0, 113, 12, 50_000);
    let request = frame(inner, VIP);
    director.receives(&request).is(FORWARDED).carries(&request.requested(Method::MASQ));
    let reply = frame(RIPS[0], inner).tcp(SYN | ACK);
    director.receives(&reply).is(RETURNED).carries(&returned(&reply));
}

#[test]
fn replies_die_of_their_ttl_and_of_a_missing_route() {
    let mut director = masquerader();
    director.receives(&frame(CLIENT, VIP));
    for ttl in [0, 1] {
        let reply = reply().tcp(SYN | ACK).ttl(ttl);
        director.receives(&reply).is(Verdict::Drop(Reason::TtlExpired));
    }
    director.tables.maps.routes.insert((*CLIENT.ip()).into(), Route::None);
    director.receives(&reply().tcp(SYN | ACK)).is(Verdict::Drop(Reason::NoRoute));
}

#[test]
fn replies_larger_than_the_route_are_dropped() {
    let mut director = masquerader();
    director.receives(&frame(CLIENT, VIP));
    let larger = reply().tcp(ACK).payload([0; 1461]);
    director.receives(&larger).is(Verdict::Drop(Reason::OverMtu));
}

#[test]
fn a_reply_without_a_neighbour_is_rewritten_and_left_to_the_stack() {
    let mut director = masquerader();
    director.receives(&frame(CLIENT, VIP));
    director.tables.maps.routes.insert((*CLIENT.ip()).into(), Route::NoNeighbour);
    let reply = reply().tcp(SYN | ACK);
    // The stack ages it and addresses it.
    let rewritten = reply.clone().source(VIP);
    director.receives(&reply).is(Verdict::Pass(Reason::ByStack)).carries(&rewritten);
}

#[test]
fn merged_segments_are_rewritten_and_left_to_the_stack() {
    let mut director = masquerader();
    director.tables.maps.is_generic = true;
    let request = frame(CLIENT, VIP).tcp(SYN).payload([7; 4001]);
    let rewritten = request.clone().destination(RIPS[0]);
    director.receives(&request).is(Verdict::Pass(Reason::ByStack)).carries(&rewritten);
    let reply = reply().tcp(SYN | ACK).payload([7; 4001]);
    let rewritten = reply.clone().source(VIP);
    director.receives(&reply).is(Verdict::Pass(Reason::ByStack)).carries(&rewritten);
}

#[test]
fn a_checksum_that_the_sender_left_to_its_card_is_still_one_afterwards() {
    for (request, at) in
        [(frame(CLIENT, VIP).tcp(SYN), TCP_CHECK), (frame(CLIENT, VIP).udp(), UDP_CHECK)]
    {
        let mut director = masquerader();
        director.tables.maps.is_generic = true;
        let request = request.payload(*b"left to the card");
        let outcome = director.receives_bytes(&left_to_card(&request, at));
        let expected = left_to_card(&request.requested(Method::MASQ), at);
        assert_eq!(outcome.after, expected, "{outcome}");
    }
}

/// The frame with only its pseudo-header summed up, as senders leave it to their cards.
fn left_to_card(frame: &Frame, at: usize) -> Vec<u8> {
    let mut bytes = frame.bytes();
    let (protocol, length) = (bytes[14 + 9], frame.ip_len() - 20);
    let halves = bytes[14 + 12..14 + 20].chunks(2).map(|b| u32::from(b[0]) << 8 | u32::from(b[1]));
    let mut sum = halves.sum::<u32>() + u32::from(protocol) + u32::try_from(length).unwrap();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    bytes[at..at + 2].copy_from_slice(&u16::try_from(sum).unwrap().to_be_bytes());
    bytes
}

#[test]
fn both_directions_are_counted() {
    let mut director = masquerader();
    director.receives(&frame(CLIENT, VIP));
    director.receives(&reply().tcp(SYN | ACK).payload([0; 3]));
    director.receives(&reply().tcp(ACK).ttl(1));
    let counters = director.tables.maps.counters[0];
    assert_eq!((counters.connections, counters.in_packets, counters.in_bytes), (1, 1, 40));
    assert_eq!((counters.out_packets, counters.out_bytes), (2, 43 + 40));
}

#[test]
fn without_a_next_hop_nothing_is_rewritten() {
    let mut director = masquerader();
    director.tables.maps.next_hops[1] = NextHop::default();
    let outcome = director.receives(&frame(CLIENT, VIP));
    outcome.is(Verdict::Drop(Reason::NoNextHop)).carries(&frame(CLIENT, VIP));
}
