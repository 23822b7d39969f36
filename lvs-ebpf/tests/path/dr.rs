//! DR: the packet reaches the real server as the client sent it, one hop older.

use lvs_common::{
    map::{Method, NextHop},
    net::protocol,
    verdict::{Reason, Verdict},
};

use crate::{
    director::{Director, FORWARDED},
    frame::{ACK, Forwarded as _, PSH, SYN, frame},
    layout::{CLIENT, INGRESS, INSIDE, VIP, director, key},
};

fn direct_router() -> Director {
    director(Method::DIRECT_ROUTE)
}

#[test]
fn only_link_layer_addresses_ttl_and_header_checksum_change() {
    let request = frame(CLIENT, VIP);
    let frames = [
        request.clone().tcp(SYN),
        request.clone().tcp(SYN).payload(*b"fast open"),
        request.clone().tcp(SYN).payload([7; 1460]),
        request.clone().tcp(SYN).padding(6),
        request.clone().tcp(SYN).options(&[7, 7, 4, 0, 0, 0, 0, 0]),
        request.clone().tcp(SYN).options(&[1; 40]).payload(*b"odd"),
        request.clone().udp(),
        request.clone().udp().payload(*b"odd"),
        request.clone().udp().payload([0xff; 1472]),
        request.udp_without_checksum().payload(*b"even"),
    ];
    for frame in frames {
        direct_router()
            .receives(&frame)
            .is(FORWARDED)
            .carries(&frame.requested(Method::DIRECT_ROUTE));
    }
}

#[test]
fn the_header_checksum_is_right_for_every_ttl_that_goes_on() {
    let mut director = direct_router();
    for ttl in 2..=255 {
        let frame = frame(CLIENT, VIP).ttl(ttl);
        director.receives(&frame).is(FORWARDED).carries(&frame.requested(Method::DIRECT_ROUTE));
    }
}

#[test]
fn a_packet_at_the_end_of_its_life_is_counted_and_dropped() {
    for ttl in [0, 1] {
        let mut director = direct_router();
        director.receives(&frame(CLIENT, VIP).ttl(ttl)).is(Verdict::Drop(Reason::TtlExpired));
        assert_eq!(director.state(CLIENT, VIP), ("SYN_RECV", 60));
        assert_eq!(director.tables.maps.counters[0].in_packets, 1);
    }
}

#[test]
fn later_segments_go_where_the_first_went() {
    let mut director = direct_router();
    for flags in [SYN, ACK, PSH | ACK] {
        let frame = frame(CLIENT, VIP).tcp(flags);
        director.receives(&frame).is(FORWARDED).carries(&frame.requested(Method::DIRECT_ROUTE));
    }
}

#[test]
fn the_port_stays_although_the_real_server_has_another() {
    let mut director = direct_router();
    director.tables.maps.dests[0].port = lvs_common::net::Be16::new(9999);
    let frame = frame(CLIENT, VIP);
    director.receives(&frame).is(FORWARDED).carries(&frame.requested(Method::DIRECT_ROUTE));
}

#[test]
fn a_frame_goes_back_where_it_came_in_only_if_the_hop_reflects() {
    for (interface, flags, verdict) in [
        (INGRESS, NextHop::REFLECTS, Verdict::Transmit),
        (INGRESS, 0, Verdict::Redirect(INGRESS)),
        (INSIDE, NextHop::REFLECTS, Verdict::Redirect(INSIDE)),
    ] {
        let mut director = direct_router();
        let hop = &mut director.tables.maps.next_hops[1];
        (hop.interface, hop.flags) = (interface, flags);
        let frame = frame(CLIENT, VIP);
        director.receives(&frame).is(verdict).carries(&frame.requested(Method::DIRECT_ROUTE));
    }
}

#[test]
fn a_packet_larger_than_the_route_is_dropped_but_the_stacks_merged_segments_pass() {
    let just = frame(CLIENT, VIP).tcp(SYN).payload([0; 1460]);
    let larger = frame(CLIENT, VIP).tcp(SYN).payload([0; 1461]);
    assert_eq!((just.ip_len(), larger.ip_len()), (1500, 1501));
    direct_router().receives(&just).is(FORWARDED);
    direct_router().receives(&larger).is(Verdict::Drop(Reason::OverMtu));

    // Merged segments go out where they came in, and nowhere else.
    for (interface, verdict) in
        [(INGRESS, Verdict::Transmit), (INSIDE, Verdict::Drop(Reason::OverMtu))]
    {
        let mut generic = direct_router();
        generic.tables.maps.is_generic = true;
        let hop = &mut generic.tables.maps.next_hops[1];
        (hop.interface, hop.flags) = (interface, NextHop::REFLECTS);
        generic.receives(&larger).is(verdict);
    }
}

#[test]
fn without_a_next_hop_the_packet_is_dropped_until_there_is_one() {
    let mut director = direct_router();
    director.tables.maps.dests[0].next_hop = NextHop::UNRESOLVED;
    let frame = frame(CLIENT, VIP);
    director.receives(&frame).is(Verdict::Drop(Reason::NoNextHop));
    assert_eq!(director.state(CLIENT, VIP), ("SYN_RECV", 60));
    director.tables.maps.dests[0].next_hop = 1;
    director.receives(&frame).is(FORWARDED).carries(&frame.requested(Method::DIRECT_ROUTE));
}

#[test]
fn packets_and_bytes_are_those_of_the_ip_packet() {
    let mut director = direct_router();
    let syn = frame(CLIENT, VIP).padding(6);
    let data = frame(CLIENT, VIP).tcp(ACK).payload([0; 100]);
    director.receives(&syn);
    director.receives(&data);
    let counters = director.tables.maps.counters[0];
    assert_eq!((counters.connections, counters.in_packets, counters.in_bytes), (1, 2, 40 + 140));
    assert_eq!((counters.out_packets, counters.out_bytes), (0, 0));
}

#[test]
fn tcp_and_udp_of_one_port_are_two_services() {
    let mut director = direct_router();
    director.tables.maps.services.remove(&key(VIP, protocol::UDP));
    director.receives(&frame(CLIENT, VIP).udp()).is(Verdict::Pass(Reason::NoService));
    director.receives(&frame(CLIENT, VIP).tcp(SYN)).is(FORWARDED);
}
