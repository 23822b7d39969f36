//! Health checks through the services: out as a client's packet would go, back to whoever checks, and
//! nothing of it anywhere else.

use std::net::{Ipv4Addr, SocketAddrV4};

use lvs_common::{
    map::{
        Dest, Method, Probed,
        probe::{DEVICE_MAC, FIRST_PORT, NETWORK_V4, near_v4, stand_in_v4},
    },
    net::Be32,
    verdict::{Reason, Verdict},
    wire::host::VecFrame,
};

use crate::{
    director::{Director, FORWARDED},
    frame::{ACK, Frame, RST, SYN, frame},
    layout::{
        CLIENT, CLIENT_MAC, DIP, DIRECTOR_MAC, INGRESS, INSIDE, INSIDE_MAC, RIP_MACS, RIPS, VIP,
        director, end,
    },
};

/// The interface that checks leave and answers come home by.
const DEVICE: u32 = 7;
const NEAR_PORT: u16 = 40_001;
/// Of the real server of slot 1.
const SLOT: usize = 1;

fn ip(address: Be32) -> Ipv4Addr {
    address.bytes().into()
}

fn near() -> SocketAddrV4 {
    SocketAddrV4::new(ip(near_v4(NETWORK_V4)), NEAR_PORT)
}

fn stand_in(slot: u32) -> SocketAddrV4 {
    SocketAddrV4::new(ip(stand_in_v4(NETWORK_V4, slot)), VIP.port())
}

fn probing(method: Method) -> Director {
    let mut director = director(method);
    director.tables.maps.tunables.probes = DEVICE;
    director
}

/// Sends a frame to a stand-in; what it has become.
fn leave(director: &mut Director, sent: &Frame) -> (Verdict, Vec<u8>) {
    let mut frame = VecFrame::new(&sent.bytes(), DEVICE);
    let verdict = director.tables.probe(&mut frame);
    (verdict, frame.bytes().to_vec())
}

/// A frame comes back.
fn come(director: &mut Director, sent: &Frame, ingress: u32) -> (Option<Verdict>, Vec<u8>) {
    let mut frame = VecFrame::new(&sent.bytes(), ingress);
    let verdict = director.tables.answer_probe(&mut frame);
    (verdict, frame.bytes().to_vec())
}

fn syn() -> Frame {
    frame(near(), stand_in(1)).payload(*b"odd")
}

/// The port that the only flow has on its way.
fn own_port(director: &Director) -> u16 {
    let mut probes = director.tables.maps.probes.keys();
    let port = probes.next().unwrap().own_port.get();
    assert!(probes.next().is_none());
    port
}

fn probed(director: &Director) -> Probed {
    *director.tables.maps.probed.values().next().unwrap()
}

fn sent_on(frame: Frame) -> Frame {
    frame.macs(INSIDE_MAC, RIP_MACS[SLOT]).ttl(63)
}

fn untouched(director: &Director) {
    assert_eq!(director.tables.conns().entries().count(), 0);
    assert!(
        director.tables.maps.counters.iter().all(|it| it.in_packets == 0 && it.connections == 0)
    );
    assert!(director.tables.maps.loads.iter().all(|load| load.total == 0));
    assert!(director.tables.maps.cursors.iter().all(|cursor| cursor.get() == 0));
}

#[test]
fn a_check_of_dr_reaches_the_vip_on_its_real_server_and_is_answered_from_the_stand_in() {
    let mut director = probing(Method::DIRECT_ROUTE);
    let (verdict, left) = leave(&mut director, &syn());
    let own = SocketAddrV4::new(DIP, own_port(&director));
    assert!(own.port() >= FIRST_PORT);
    assert_eq!(verdict, FORWARDED);
    assert_eq!(left, sent_on(frame(own, VIP).payload(*b"odd")).bytes());

    let answer = frame(VIP, own).tcp(SYN | ACK).macs(RIP_MACS[SLOT], INSIDE_MAC);
    let (verdict, home) = come(&mut director, &answer, INSIDE);
    assert_eq!(verdict, Some(Verdict::Redirect(DEVICE)));
    let wanted = frame(stand_in(1), near()).tcp(SYN | ACK).macs(RIP_MACS[SLOT], DEVICE_MAC);
    assert_eq!(home, wanted.bytes());
    assert_eq!(probed(&director), Probed { answered: 1, ..Probed::default() });
    untouched(&director);
}

#[test]
fn a_check_of_nat_comes_from_the_vip_and_a_refusal_is_noted() {
    let mut director = probing(Method::MASQ);
    let (verdict, left) = leave(&mut director, &syn());
    let own = SocketAddrV4::new(*VIP.ip(), own_port(&director));
    assert_eq!(verdict, FORWARDED);
    assert_eq!(left, sent_on(frame(own, RIPS[SLOT]).payload(*b"odd")).bytes());

    let answer = frame(RIPS[SLOT], own).tcp(RST | ACK).macs(RIP_MACS[SLOT], INSIDE_MAC);
    let (verdict, home) = come(&mut director, &answer, INSIDE);
    assert_eq!(verdict, Some(Verdict::Redirect(DEVICE)));
    let wanted = frame(stand_in(1), near()).tcp(RST | ACK).macs(RIP_MACS[SLOT], DEVICE_MAC);
    assert_eq!(home, wanted.bytes());
    assert_eq!(probed(&director), Probed { answered: 1, refused: 1, ..Probed::default() });
    untouched(&director);
}

#[test]
fn datagrams_without_a_checksum_stay_without_one() {
    let mut director = probing(Method::MASQ);
    // Slots 2 and 3 are those of the UDP service.
    let sent = frame(near(), stand_in(3)).udp_without_checksum().payload(*b"?");
    let (verdict, left) = leave(&mut director, &sent);
    let own = SocketAddrV4::new(*VIP.ip(), own_port(&director));
    assert_eq!(verdict, FORWARDED);
    let wanted = frame(own, RIPS[SLOT]).udp_without_checksum().payload(*b"?");
    assert_eq!(left, sent_on(wanted).bytes());
}

#[test]
fn a_flow_keeps_its_port_and_flows_of_one_service_never_share_one() {
    let mut director = probing(Method::DIRECT_ROUTE);
    let first = leave(&mut director, &syn()).1;
    assert_eq!(leave(&mut director, &syn()).1, first);
    for port in 0..500 {
        for slot in [0, 1] {
            let near = SocketAddrV4::new(*near().ip(), 10_000 + port);
            assert_eq!(leave(&mut director, &frame(near, stand_in(slot))).0, FORWARDED);
        }
    }
    assert_eq!(director.tables.maps.probes.len(), 1001);
}

#[test]
fn a_port_is_given_away_after_a_silence_only() {
    let mut director = probing(Method::DIRECT_ROUTE);
    leave(&mut director, &syn());
    let (key, flow) = director.tables.maps.probes.pop_first().unwrap();
    // Somebody else's flow has the place.
    let other = lvs_common::map::ProbeFlow { near_port: key.peer_port, ..flow };
    director.tables.maps.probes.insert(key, other);
    leave(&mut director, &syn());
    assert_eq!(director.tables.maps.probes[&key], other);
    director.tables.maps.probes.retain(|it, _| *it == key);
    director.waits(3);
    leave(&mut director, &syn());
    assert_eq!(director.tables.maps.probes[&key].near_port, flow.near_port);
}

#[test]
fn a_packet_that_the_real_server_sends_back_is_dropped_and_noted() {
    let mut director = probing(Method::DIRECT_ROUTE);
    leave(&mut director, &syn());
    let own = SocketAddrV4::new(DIP, own_port(&director));
    let looped = frame(own, VIP).payload(*b"odd").macs(RIP_MACS[SLOT], INSIDE_MAC).ttl(62);
    assert_eq!(come(&mut director, &looped, INSIDE).0, Some(Verdict::Drop(Reason::ProbeLooped)));
    assert_eq!(probed(&director), Probed { looped: 1, ..Probed::default() });
    untouched(&director);
}

#[test]
fn an_answer_of_nat_by_another_gateway_is_dropped_and_noted() {
    let mut director = probing(Method::MASQ);
    leave(&mut director, &syn());
    let own = SocketAddrV4::new(*VIP.ip(), own_port(&director));
    let answer = frame(RIPS[SLOT], own).tcp(SYN | ACK).macs(CLIENT_MAC, DIRECTOR_MAC);
    let verdict = come(&mut director, &answer, INGRESS).0;
    assert_eq!(verdict, Some(Verdict::Drop(Reason::ProbeDetoured)));
    assert_eq!(probed(&director), Probed { detoured: 1, ..Probed::default() });
}

#[test]
fn what_is_no_answer_is_left_alone() {
    let mut director = probing(Method::DIRECT_ROUTE);
    leave(&mut director, &syn());
    for (source, port) in [(VIP, 61_000), (VIP, 80), (CLIENT, 65_535)] {
        let other = frame(source, SocketAddrV4::new(DIP, port)).tcp(ACK);
        let (verdict, frame) = come(&mut director, &other, INSIDE);
        assert_eq!((verdict, frame), (None, other.bytes()));
    }
    // To nobody's VIP, at a port of flows: it is nobody's, as without checks.
    let other = frame(CLIENT, SocketAddrV4::new(DIP, 65_535));
    director.receives(&other).is(Verdict::Pass(Reason::NotOurs));
}

#[test]
fn nothing_goes_to_addresses_that_stand_for_nobody() {
    let mut director = probing(Method::DIRECT_ROUTE);
    let nobody = Verdict::Drop(Reason::NoStandIn);
    for to in [stand_in(4), stand_in(131_000), end(192, 0, 2, 1, 80)] {
        assert_eq!(leave(&mut director, &frame(near(), to)).0, nobody);
    }
    let igmp = frame(near(), stand_in(1)).protocol(2);
    assert_eq!(leave(&mut director, &igmp).0, nobody);
    director.tables.maps.dests[SLOT].flags = Dest::USED;
    assert_eq!(leave(&mut director, &syn()).0, nobody);
}

#[test]
fn a_check_reaches_who_is_in_no_list_but_held_aside() {
    let mut director = probing(Method::DIRECT_ROUTE);
    director.tables.maps.dests[SLOT].flags = Dest::USED | Dest::PROBED;
    assert_eq!(leave(&mut director, &syn()).0, FORWARDED);
    assert!(!director.tables.maps.dests[SLOT].is_available());
}

#[test]
fn a_check_needs_an_address_of_the_directors_own() {
    let none = Verdict::Drop(Reason::NoOwnAddress);
    for from in [*VIP.ip(), Ipv4Addr::UNSPECIFIED] {
        let mut director = probing(Method::DIRECT_ROUTE);
        for hop in &mut director.tables.maps.next_hops {
            hop.from = from.into();
        }
        assert_eq!(leave(&mut director, &syn()).0, none);
    }
}
