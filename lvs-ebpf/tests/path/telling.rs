//! What the director says of requests that it drops.

use std::net::Ipv4Addr;

use lvs_common::{
    map::{Counters, Method, NextHop, tunnel},
    verdict::{Reason, Verdict},
    wire::host::VecFrame,
};

use crate::{
    complaint::Complaint,
    director::{Director, RETURNED},
    frame::{ACK, Frame, SYN, frame},
    layout::{CLIENT, CLIENT_MAC, DIRECTOR_MAC, INGRESS, VIP, director, end},
};

const METHODS: [Method; 3] = [Method::MASQ, Method::DIRECT_ROUTE, Method::TUNNEL];

/// Receives a frame, drops it for the reason, and says so: what it says, if anything.
#[track_caller]
fn tells(director: &mut Director, request: &Frame, reason: Reason) -> Option<Vec<u8>> {
    let mut frame = VecFrame::new(&request.bytes(), INGRESS);
    let tables = &mut director.tables;
    assert_eq!(tables.direct(&mut frame), Verdict::Drop(reason));
    let told = tables.tell(&mut frame, reason)?;
    assert_eq!(told, RETURNED);
    Some(frame.bytes().to_vec())
}

/// The VIP's word to the client.
fn word(what: (u8, u8), info: u32, quoted: &[u8]) -> Complaint {
    Complaint {
        macs: (DIRECTOR_MAC, CLIENT_MAC),
        from: *VIP.ip(),
        to: *CLIENT.ip(),
        ttl: 64,
        tos: 0xc0,
        id: u16::from_be_bytes([quoted[4], quoted[5]]),
        what,
        info: info.to_be_bytes(),
        quoted: quoted[..quoted.len().min(548)].to_vec(),
    }
}

fn quiesced() -> Director {
    let mut director = director(Method::DIRECT_ROUTE);
    director.tables.maps.pools.iter_mut().for_each(|entry| entry.weight = 0);
    director
}

#[test]
fn without_a_real_server_the_port_is_unreachable() {
    let request = frame(CLIENT, VIP);
    for request in [
        request.clone().tcp(SYN),
        request.clone().tcp(SYN).padding(6),
        request.clone().udp().payload([1; 519]),
        request.clone().udp().payload([1; 520]),
        request.clone().udp().payload([1; 521]),
        request.clone().udp().payload([1; 1472]),
        request.options(&[1; 40]).may_fragment(77).udp_without_checksum(),
    ] {
        let told = tells(&mut quiesced(), &request, Reason::NoDest);
        assert_eq!(told.unwrap(), word((3, 3), 0, &request.packet()).bytes());
    }
}

#[test]
fn the_type_of_service_is_the_controls_with_the_requests_low_bits() {
    for (request, told) in [(0x00, 0xc0), (0xb8, 0xd8), (0x0b, 0xca), (0xff, 0xde)] {
        let said = tells(&mut quiesced(), &frame(CLIENT, VIP).tos(request), Reason::NoDest);
        assert_eq!(said.unwrap()[15], told);
    }
}

#[test]
fn at_the_end_of_its_life_the_time_is_exceeded_in_every_method() {
    for method in METHODS {
        let request = frame(CLIENT, VIP).ttl(1);
        let mut director = director(method);
        let told = tells(&mut director, &request, Reason::TtlExpired);
        assert_eq!(told.unwrap(), word((11, 0), 0, &request.packet()).bytes());
        // Of what it says of others' packets the director sees all but NAT's.
        let counters = director.tables.maps.counters[0];
        let seen = if method == Method::MASQ { (0, 0) } else { (1, 68) };
        assert_eq!((counters.out_packets, counters.out_bytes), seen);
    }
}

#[test]
fn what_is_too_long_hears_what_would_fit_in_every_method() {
    let tunnels = [
        (tunnel::IPIP, 1380),
        (tunnel::GUE, 1368),
        (tunnel::GUE | tunnel::CHECKSUM, 1368),
        (tunnel::GRE, 1376),
        (tunnel::GRE | tunnel::CHECKSUM, 1372),
    ];
    let tunnels = tunnels.map(|(wrap, mtu)| (Method::TUNNEL, wrap, mtu));
    let others = [(Method::MASQ, 0, 1400), (Method::DIRECT_ROUTE, 0, 1400)];
    for (method, wrap, mtu) in tunnels.into_iter().chain(others) {
        let mut director = director(method);
        director.tables.maps.next_hops.iter_mut().for_each(|hop| hop.mtu = 1400);
        director.tables.maps.dests.iter_mut().for_each(|dest| dest.tunnel = wrap);
        let request = frame(CLIENT, VIP).payload(vec![5; mtu as usize - 39]);
        assert_eq!(request.ip_len(), mtu as usize + 1);
        let told = tells(&mut director, &request, Reason::OverMtu);
        assert_eq!(told.unwrap(), word((3, 4), mtu, &request.aged().packet()).bytes());
        let counters = director.tables.maps.counters[0];
        let seen = if method == Method::MASQ { (0, 0) } else { (1, 576) };
        assert_eq!((counters.out_packets, counters.out_bytes), seen);
    }
}

#[test]
fn life_ends_before_length_matters() {
    for method in METHODS {
        let request = frame(CLIENT, VIP).ttl(1).payload([0; 1461]);
        let mut director = director(method);
        let reason = if method == Method::TUNNEL { Reason::TtlExpired } else { Reason::OverMtu };
        let told = tells(&mut director, &request, reason);
        assert_eq!(told.unwrap(), word((11, 0), 0, &request.packet()).bytes());
    }
}

#[test]
fn of_what_may_be_cut_nothing_is_said() {
    let request = frame(CLIENT, VIP).may_fragment(1).payload([0; 1461]);
    let mut director = director(Method::DIRECT_ROUTE);
    assert_eq!(tells(&mut director, &request, Reason::OverMtu), None);
}

#[test]
fn fifty_are_told_at_once_and_of_a_paths_mtu_everybody() {
    let mut director = quiesced();
    let request = frame(CLIENT, VIP);
    let told = (0..200).filter_map(|_| tells(&mut director, &request, Reason::NoDest));
    assert_eq!(told.count(), 50);
    director.waits(1);
    assert!(tells(&mut director, &request, Reason::NoDest).is_some());

    let mut director = crate::layout::director(Method::DIRECT_ROUTE);
    let longer = frame(CLIENT, VIP).payload([0; 1461]);
    let told = (0..200).filter_map(|_| tells(&mut director, &longer, Reason::OverMtu));
    assert_eq!(told.count(), 200);
}

#[test]
fn nobody_is_told_who_cannot_have_asked() {
    for source in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255; 4]] {
        let client = std::net::SocketAddrV4::new(Ipv4Addr::from(source), 40_000);
        assert_eq!(tells(&mut quiesced(), &frame(client, VIP), Reason::NoDest), None);
    }
}

#[test]
fn only_requests_are_answered_and_only_for_what_there_are_words_for() {
    let mut director = director(Method::MASQ);
    director.receives(&frame(CLIENT, VIP));
    director.tables.maps.counters.fill(Counters::default());
    for (from, to, reason) in [
        (crate::layout::RIPS[0], CLIENT, Reason::OverMtu),
        (CLIENT, end(198, 51, 100, 2, 80), Reason::NoDest),
        (CLIENT, VIP, Reason::TableFull),
    ] {
        let mut frame = VecFrame::new(&frame(from, to).tcp(ACK).bytes(), INGRESS);
        assert_eq!(director.tables.tell(&mut frame, reason), None);
    }
}

#[test]
fn without_room_or_a_way_nothing_is_said() {
    let request = frame(CLIENT, VIP);
    let mut frame = VecFrame::new(&request.bytes(), INGRESS).with_headroom(27);
    let mut director = quiesced();
    assert_eq!(director.tables.tell(&mut frame, Reason::NoDest), None);

    let mut director = crate::layout::director(Method::TUNNEL);
    let longer = crate::frame::frame(CLIENT, VIP).payload([0; 1461]);
    let mut frame = VecFrame::new(&longer.bytes(), INGRESS);
    assert_eq!(director.tables.direct(&mut frame), Verdict::Drop(Reason::OverMtu));
    director.tables.maps.dests[0].next_hop = NextHop::UNRESOLVED;
    assert_eq!(director.tables.tell(&mut frame, Reason::OverMtu), None);
}
