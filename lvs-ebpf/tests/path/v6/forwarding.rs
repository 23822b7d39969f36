//! DR and NAT, against frames that were built anew.

use lvs_common::{
    map::{Method, NextHop},
    net::checksum,
    verdict::{Reason, Verdict},
};
use lvs_ebpf::tables::Route;

use super::{
    frame::{Frame, frame},
    layout::{CLIENT, Directs as _, RIPS, VIP, client, director, end},
};
use crate::{
    director::{FORWARDED, RETURNED},
    frame::{ACK, Forwarded as _, SYN},
    layout::{CLIENT_MAC, DIRECTOR_MAC, INGRESS, INSIDE_MAC, RIP_MACS},
};

/// The first real server's reply, as it reaches the director.
fn reply() -> Frame {
    frame(RIPS[0], CLIENT).tcp(SYN | ACK).macs(RIP_MACS[0], INSIDE_MAC)
}

/// The reply as the client must get it.
fn returned(reply: &Frame) -> Frame {
    reply.clone().source(VIP).aged().macs(DIRECTOR_MAC, CLIENT_MAC)
}

/// The frame as TCP and UDP, with payloads of odd and even lengths, with and without extensions.
fn kinds(of: &Frame, flags: u8) -> Vec<Frame> {
    let mut frames = Vec::new();
    for payload in [&b""[..], b"a", b"ab", b"abc", &[0xff; 1300], &[0; 1299]] {
        let plain = of.clone().payload(payload);
        for frame in [
            plain.clone(),
            plain.clone().extension(0, &[1, 4, 0, 0, 0, 0]),
            plain.clone().extension(60, &[1; 62]),
            plain.extension(0, &[0; 6]).extension(43, &[4, 0, 0, 0, 0, 0]).extension(60, &[0; 14]),
        ] {
            frames.push(frame.clone().tcp(flags));
            frames.push(frame.udp());
        }
    }
    frames
}

#[test]
fn direct_routing_changes_link_layer_addresses_and_the_hop_limit_only() {
    for request in kinds(&frame(CLIENT, VIP), SYN) {
        let mut director = director(Method::DIRECT_ROUTE);
        director
            .directs(&request)
            .is(FORWARDED)
            .carries_bytes(&request.requested(Method::DIRECT_ROUTE).bytes());
    }
}

#[test]
fn requests_and_replies_of_nat_are_as_if_sent_with_the_other_addresses() {
    for request in kinds(&frame(CLIENT, VIP), SYN) {
        let mut director = director(Method::MASQ);
        director
            .directs(&request)
            .is(FORWARDED)
            .carries_bytes(&request.requested(Method::MASQ).bytes());
    }
    for reply in kinds(&reply(), SYN | ACK) {
        let mut director = director(Method::MASQ);
        director.directs(&frame(CLIENT, VIP));
        director.directs(&frame(CLIENT, VIP).udp());
        director.directs(&reply).is(RETURNED).carries_bytes(&returned(&reply).bytes());
    }
}

#[test]
fn later_segments_go_where_the_first_went() {
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        let mut director = director(method);
        for flags in [SYN, ACK, ACK] {
            let request = frame(CLIENT, VIP).tcp(flags);
            director
                .directs(&request)
                .is(FORWARDED)
                .carries_bytes(&request.requested(method).bytes());
        }
        director.directs(&frame(client(0x11, 40_000), VIP)).is(FORWARDED);
        assert_eq!((director.load(0), director.load(1)), ((1, 0), (1, 0)));
    }
}

#[test]
fn a_packet_at_the_end_of_its_life_is_dropped_either_way() {
    for hop_limit in [0, 1] {
        let mut director = director(Method::MASQ);
        let expired = Verdict::Drop(Reason::TtlExpired);
        director.directs(&frame(CLIENT, VIP).hop_limit(hop_limit)).is(expired);
        director.directs(&reply().hop_limit(hop_limit)).is(expired);
        director.directs(&frame(CLIENT, VIP).hop_limit(2)).is(FORWARDED);
    }
}

#[test]
fn just_the_mtu_fits_either_way() {
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        let mut director = director(method);
        let just = frame(CLIENT, VIP).payload([0; 1440]);
        assert_eq!(just.ip_len(), 1500);
        director.directs(&just).is(FORWARDED);
        director.directs(&just.payload([0; 1441])).is(Verdict::Drop(Reason::OverMtu));
    }
    let mut director = director(Method::MASQ);
    director.directs(&frame(CLIENT, VIP));
    director.directs(&reply().payload([0; 1440])).is(RETURNED);
    director.directs(&reply().payload([0; 1441])).is(Verdict::Drop(Reason::OverMtu));
}

#[test]
fn a_frame_goes_back_where_it_came_in_if_the_hop_reflects() {
    let mut director = director(Method::DIRECT_ROUTE);
    let hop = &mut director.tables.maps.next_hops[1];
    (hop.interface, hop.flags) = (INGRESS, NextHop::REFLECTS);
    director.directs(&frame(CLIENT, VIP)).is(Verdict::Transmit);
}

#[test]
fn replies_need_a_route_and_a_neighbour() {
    let mut director = director(Method::MASQ);
    director.directs(&frame(CLIENT, VIP));
    director.tables.maps.routes.insert((*CLIENT.ip()).into(), Route::NoNeighbour);
    let rewritten = reply().source(VIP).bytes();
    director.directs(&reply()).is(Verdict::Pass(Reason::ByStack)).carries_bytes(&rewritten);
    director.tables.maps.routes.insert((*CLIENT.ip()).into(), Route::None);
    director.directs(&reply()).is(Verdict::Drop(Reason::NoRoute));
}

#[test]
fn a_packet_of_a_real_server_that_is_no_reply_goes_to_the_stack_as_it_is() {
    let mut director = director(Method::MASQ);
    director.directs(&frame(CLIENT, VIP));
    for frame in [
        frame(RIPS[0], client(0x10, 40_001)),
        frame(RIPS[0], client(0x11, 40_000)),
        frame(end(RIPS[0].ip().segments(), 8081), CLIENT),
        frame(RIPS[1], CLIENT),
        frame(RIPS[0], CLIENT).udp(),
    ] {
        director.directs(&frame).is(Verdict::Pass(Reason::NotReply));
    }
}

#[test]
fn both_directions_are_counted_by_ip_bytes() {
    let mut director = director(Method::MASQ);
    director.directs(&frame(CLIENT, VIP));
    director.directs(&reply().payload([0; 3]));
    let counters = director.tables.maps.counters[0];
    assert_eq!((counters.connections, counters.in_packets, counters.in_bytes), (1, 1, 60));
    assert_eq!((counters.out_packets, counters.out_bytes), (1, 63));
}

#[test]
fn a_checksum_that_the_sender_left_to_its_card_is_still_one_afterwards() {
    const TCP_CHECK: usize = 14 + 40 + 16;
    let left_to_card = |frame: &Frame| {
        let mut bytes = frame.bytes();
        let address = |at: usize| <[u8; 16]>::try_from(&bytes[at..at + 16]).unwrap();
        let (source, destination) = (address(14 + 8), address(14 + 24));
        let length = u16::try_from(frame.ip_len() - 40).unwrap();
        let sum =
            checksum::sum(&[&source[..], &destination, &[0, 6], &length.to_be_bytes()].concat());
        bytes[TCP_CHECK..TCP_CHECK + 2].copy_from_slice(&sum.to_ne_bytes());
        bytes
    };
    let mut director = director(Method::MASQ);
    director.tables.maps.is_generic = true;
    let request = frame(CLIENT, VIP).payload(*b"left to the card");
    let outcome = director.receives_bytes(&left_to_card(&request));
    outcome.is(FORWARDED).carries_bytes(&left_to_card(&request.requested(Method::MASQ)));
}
