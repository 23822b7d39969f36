//! Fragments of IPv4: what a real server or a client puts together of them is what it would have got whole.

use lvs_common::{
    map::{DatagramKey, Method, Service},
    net::{Addr, Be32},
    tcp_state::State,
    verdict::{Reason, Verdict},
};
use proptest::{collection::vec, prelude::*};

use crate::{
    cut::{cut, join},
    director::{FORWARDED, RETURNED},
    frame::{ACK, Forwarded as _, Frame, SYN, frame},
    layout::{
        CLIENT, CLIENT_MAC, DIRECTOR_MAC, INSIDE_MAC, RIP_MACS, RIPS, VIP, be32, director, end, key,
    },
};

const ID: u16 = 77;
const EARLY: Verdict = Verdict::Drop(Reason::FragmentEarly);
const OVERLAP: Verdict = Verdict::Drop(Reason::FragmentOverlap);
const REFUSED: Verdict = Verdict::Drop(Reason::FragmentRefused);

fn datagram(bytes: usize) -> Frame {
    let payload: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
    frame(CLIENT, VIP).udp().payload(payload).may_fragment(ID)
}

/// Datagrams and segments of odd and even lengths, with and without checksums and options.
fn kinds(of: &Frame) -> Vec<Frame> {
    let mut frames = Vec::new();
    for payload in [vec![7; 65], vec![0xff; 4000], vec![3; 8001]] {
        for options in [&[][..], &[1; 4], &[1; 40]] {
            let frame = of.clone().payload(payload.clone()).options(options).may_fragment(ID);
            frames.push(frame.clone().tcp(SYN | ACK));
            frames.push(frame.clone().tcp(SYN));
            frames.push(frame.clone().udp());
            frames.push(frame.udp_without_checksum());
        }
    }
    frames
}

#[test]
fn every_fragment_goes_where_the_first_went_and_adds_up() {
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        for request in kinds(&frame(CLIENT, VIP)) {
            for bytes in [24, 512, 1440] {
                let fragments = cut(&request.bytes(), bytes);
                let mut director = director(method);
                let sent = director.sends(&fragments, FORWARDED);
                let expected = request.requested(method);
                assert_eq!(join(&sent), expected.packet());
                for sent in sent {
                    assert_eq!(sent[..14], expected.bytes()[..14]);
                }
                assert!(director.tables.maps.datagrams.is_empty(), "it has come whole");
            }
        }
    }
}

#[test]
fn replies_of_nat_come_from_the_vip_fragment_by_fragment() {
    for reply in kinds(&frame(RIPS[0], CLIENT).macs(RIP_MACS[0], INSIDE_MAC)) {
        let mut director = director(Method::MASQ);
        director.receives(&frame(CLIENT, VIP));
        director.receives(&frame(CLIENT, VIP).udp());
        let sent = director.sends(&cut(&reply.bytes(), 1400), RETURNED);
        let expected = reply.clone().source(VIP).aged().macs(DIRECTOR_MAC, CLIENT_MAC);
        assert_eq!(join(&sent), expected.packet());
        assert_eq!(sent.last().unwrap()[..14], expected.bytes()[..14]);
    }
}

#[test]
fn a_datagram_counts_as_one_packet_as_long_as_the_whole() {
    let mut director = director(Method::MASQ);
    let request = datagram(4000);
    director.sends(&cut(&request.bytes(), 1480), FORWARDED);
    let reply = frame(RIPS[0], CLIENT).udp().payload([1; 5001]).may_fragment(3);
    director.sends(&cut(&reply.bytes(), 1480), RETURNED);
    let counters = director.tables.maps.counters[2];
    assert_eq!((counters.connections, counters.in_packets, counters.out_packets), (1, 1, 1));
    assert_eq!(counters.in_bytes, request.ip_len() as u64);
    assert_eq!(counters.out_bytes, reply.ip_len() as u64);
}

#[test]
fn each_datagram_has_a_way_of_its_own() {
    // Two ports, two real servers; the same addresses and other identifications, in turns.
    let of = |port, id| {
        let request = frame(end(192, 0, 2, 10, port), VIP).udp().payload([9; 3000]);
        cut(&request.may_fragment(id).bytes(), 1480)
    };
    let (one, two) = (of(40_000, 1), of(40_001, 2));
    let mut director = director(Method::DIRECT_ROUTE);
    for number in 0..one.len() {
        for (fragments, mac) in [(&one, RIP_MACS[0]), (&two, RIP_MACS[1])] {
            let outcome = director.receives_bytes(&fragments[number]);
            assert_eq!(outcome.is(FORWARDED).after[..6], mac.bytes());
        }
    }
    // Of one-packet scheduling nobody but the datagram remembers where it went.
    let service = key(VIP, 17);
    director.tables.maps.services.get_mut(&service).unwrap().flags |= Service::ONE_PACKET;
    for id in 3..9 {
        let macs: Vec<_> =
            director.sends(&of(40_002, id), FORWARDED).iter().map(|it| it[..6].to_vec()).collect();
        assert!(macs.iter().all(|mac| *mac == macs[0]), "{macs:?}");
    }
}

#[test]
fn a_later_fragment_steps_no_state_machine() {
    let mut director = director(Method::MASQ);
    let syn = frame(CLIENT, VIP).tcp(SYN).payload([0xff; 3000]).may_fragment(ID);
    director.sends(&cut(&syn.bytes(), 1480), FORWARDED);
    assert_eq!(director.connection(CLIENT, VIP).unwrap().state(), State::SYN_RECV);
    assert_eq!(director.load(0), (1, 0));
}

#[test]
fn a_fragment_before_the_first_has_no_ports() {
    let mut director = director(Method::MASQ);
    let fragments = cut(&datagram(3000).bytes(), 1480);
    director.sends(&fragments[1..], EARLY);
    let sent = director.sends(&fragments, FORWARDED);
    assert_eq!(join(&sent), datagram(3000).requested(Method::MASQ).packet());
}

#[test]
fn a_datagram_that_overlaps_itself_is_given_up() {
    let whole = datagram(6000).bytes();
    let (fragments, others) = (cut(&whole, 1480), cut(&whole, 1000));
    for overlapping in [&others[1], &others[2]] {
        let mut director = director(Method::MASQ);
        director.sends(&fragments[..2], FORWARDED);
        director.receives_bytes(overlapping).is(if overlapping == &others[2] {
            OVERLAP
        } else {
            Verdict::Drop(Reason::FragmentDuplicate)
        });
        let then = if overlapping == &others[2] { REFUSED } else { FORWARDED };
        director.sends(&fragments[2..], then);
    }
    // Two ends, and an end before what has come.
    for (first, other) in [(4, 2), (2, 4)] {
        let shorter = cut(&datagram(first * 1480 + 100).bytes(), 1480);
        let longer = cut(&datagram(other * 1480 + 100).bytes(), 1480);
        let mut director = director(Method::MASQ);
        director.receives_bytes(&shorter[0]).is(FORWARDED);
        director.receives_bytes(&shorter[first]).is(FORWARDED);
        director.receives_bytes(&longer[other]).is(OVERLAP);
    }
}

#[test]
fn a_fragment_that_comes_twice_goes_once() {
    let mut director = director(Method::DIRECT_ROUTE);
    for fragment in &cut(&datagram(6000).bytes(), 1480)[..3] {
        director.receives_bytes(fragment).is(FORWARDED);
        director.receives_bytes(fragment).is(Verdict::Drop(Reason::FragmentDuplicate));
    }
    assert_eq!(director.tables.maps.counters[2].in_packets, 1);
}

#[test]
fn what_no_datagram_has_is_dropped() {
    let endless = Verdict::Drop(Reason::FragmentEndless);
    let mut director = director(Method::DIRECT_ROUTE);
    let part = frame(CLIENT, VIP).udp().payload([0; 64]).may_fragment(ID);
    director.receives(&part.clone().payload([0; 61]).fragment(5, true)).is(endless);
    director.receives(&part.clone().fragment(0x1fff, false)).is(endless);
    director.receives(&part.clone().fragment(0, true)).is(FORWARDED);
    // A hole behind every eight bytes.
    let eight = |offset| part.clone().payload([]).fragment(offset, true);
    for hole in 0..15 {
        director.receives(&eight(20 + 2 * hole)).is(FORWARDED);
    }
    director.receives(&eight(100)).is(endless);
    director.receives(&eight(21)).is(REFUSED);
}

#[test]
fn a_header_in_pieces_is_dropped() {
    let tiny = Verdict::Drop(Reason::FragmentTiny);
    let segment = frame(CLIENT, VIP).tcp(SYN).payload([0; 64]).may_fragment(ID).bytes();
    let mut director = director(Method::DIRECT_ROUTE);
    for bytes in [8, 16] {
        let fragments = cut(&segment, bytes);
        director.receives_bytes(&fragments[1]).is(tiny);
        director.receives_bytes(&fragments[0]).is(tiny);
        // The rest of it gets nowhere either.
        director.receives_bytes(&fragments[3]).is(REFUSED);
        director.tables.maps.datagrams.clear();
    }
    director.sends(&cut(&segment, 24), FORWARDED);
}

#[test]
fn the_rest_of_what_the_stack_gets_is_the_stacks() {
    let mut director = director(Method::MASQ);
    let elsewhere = end(198, 51, 100, 1, 81);
    for (request, reason) in [
        (frame(CLIENT, elsewhere).udp(), Reason::NoService),
        (frame(CLIENT, VIP).tcp(ACK), Reason::NotSchedulable),
        (frame(RIPS[0], CLIENT).udp(), Reason::NotReply),
    ] {
        let fragments = cut(&request.payload([0; 3000]).may_fragment(ID).bytes(), 1480);
        director.receives_bytes(&fragments[0]).is(Verdict::Pass(reason));
        director.sends(&fragments[1..], Verdict::Pass(Reason::Fragment));
    }
    // Of others' packets, and of other protocols', nothing is looked at.
    let foreign = frame(CLIENT, end(192, 0, 2, 99, 80)).udp();
    let icmp = frame(CLIENT, VIP).protocol(1);
    for request in [foreign, icmp] {
        let fragments = cut(&request.payload([0; 3000]).may_fragment(9).bytes(), 1480);
        for fragment in fragments.iter().rev() {
            director.receives_bytes(fragment).is(Verdict::Pass(Reason::Fragment));
        }
    }
    assert_eq!(director.tables.maps.datagrams.len(), 3);
}

#[test]
fn the_rest_of_what_is_dropped_is_dropped() {
    let mut director = director(Method::DIRECT_ROUTE);
    for entry in &mut director.tables.maps.pools {
        entry.weight = 0;
    }
    let fragments = cut(&datagram(3000).bytes(), 1480);
    director.receives_bytes(&fragments[0]).is(Verdict::Drop(Reason::NoDest));
    director.sends(&fragments[1..], REFUSED);
}

#[test]
fn a_datagram_is_known_for_half_a_minute() {
    let fragments = cut(&datagram(6000).bytes(), 1480);
    let mut director = director(Method::MASQ);
    director.receives_bytes(&fragments[0]).is(FORWARDED);
    director.waits(29);
    director.receives_bytes(&fragments[1]).is(FORWARDED);
    director.waits(1);
    director.receives_bytes(&fragments[2]).is(EARLY);
    // The identification may be another datagram's now.
    director.sends(&fragments, FORWARDED);
}

#[test]
fn a_real_server_that_is_gone_gets_no_more() {
    let fragments = cut(&datagram(3000).bytes(), 1480);
    for change in 0..2 {
        let mut director = director(Method::MASQ);
        director.receives_bytes(&fragments[0]).is(FORWARDED);
        let dest = &mut director.tables.maps.dests[2];
        if change == 0 {
            dest.flags = lvs_common::map::Dest::USED;
        } else {
            dest.address = (*end(203, 0, 113, 77, 0).ip()).into();
        }
        director.receives_bytes(&fragments[1]).is(Verdict::Drop(Reason::DestRemoved));
    }
}

#[test]
fn what_may_be_cut_and_is_too_long_for_nats_next_link_is_cut_by_the_stack() {
    let mut director = director(Method::MASQ);
    for hop in &mut director.tables.maps.next_hops {
        hop.mtu = 1000;
    }
    let request = datagram(1200);
    let rewritten = request.clone().destination(RIPS[0]);
    director.receives(&request).is(Verdict::Pass(Reason::ByStack)).carries(&rewritten);
    let fragments = cut(&datagram(3000).bytes(), 1480);
    let sent = director.sends(&fragments[..2], Verdict::Pass(Reason::ByStack));
    let rewritten = datagram(3000).destination(RIPS[0]).bytes();
    assert_eq!(sent, cut(&rewritten, 1480)[..2]);
    let fixed = frame(CLIENT, VIP).udp().payload([0; 1200]);
    director.receives(&fixed).is(Verdict::Drop(Reason::OverMtu));
}

#[test]
fn datagrams_are_told_apart_by_addresses_protocol_and_identification() {
    let mut director = director(Method::DIRECT_ROUTE);
    director.receives(&datagram(64).fragment(0, true)).is(FORWARDED);
    let expected = DatagramKey {
        source: Addr::v4(be32(*CLIENT.ip())),
        destination: Addr::v4(be32(*VIP.ip())),
        id: Be32::new(ID.into()),
        protocol: 17,
        pad: [0; 3],
    };
    assert_eq!(director.tables.maps.datagrams.keys().collect::<Vec<_>>(), [&expected]);
    let later = datagram(64).fragment(100, false);
    director.receives(&later.clone().may_fragment(ID + 1).fragment(100, false)).is(EARLY);
    director.receives(&later.clone().source(end(192, 0, 2, 11, 40_000))).is(EARLY);
    director.receives(&later.clone().tcp(ACK)).is(EARLY);
    director.receives(&later).is(FORWARDED);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn in_any_order_behind_the_first_a_datagram_arrives_as_it_was_sent(
        payload in vec(any::<u8>(), 20..3000),
        eights in 3..40_usize,
        keys in vec(any::<u32>(), 1000),
        is_nat in any::<bool>(),
        is_tcp in any::<bool>(),
    ) {
        let method = if is_nat { Method::MASQ } else { Method::DIRECT_ROUTE };
        let request = frame(CLIENT, VIP).payload(payload).may_fragment(ID);
        let request = if is_tcp { request.tcp(SYN) } else { request.udp() };
        let mut fragments = cut(&request.bytes(), eights * 8);
        prop_assume!(fragments.len() > 1);
        let mut rest: Vec<_> = keys.into_iter().zip(fragments.drain(1..)).collect();
        rest.sort_unstable();
        let fits = |order: &[Vec<u8>]| holes(order) <= 16;
        fragments.extend(rest.into_iter().map(|(_, fragment)| fragment));
        prop_assume!(fits(&fragments));
        let mut director = director(method);
        let mut sent = Vec::new();
        for fragment in &fragments {
            let outcome = director.receives_bytes(fragment);
            prop_assert_eq!(outcome.verdict, FORWARDED);
            sent.push(outcome.after);
        }
        prop_assert_eq!(join(&sent), request.requested(method).packet());
    }
}

/// The most ranges that are apart on the way.
fn holes(order: &[Vec<u8>]) -> usize {
    let mut come = Vec::new();
    let mut most = 0;
    for fragment in order {
        let start = usize::from(u16::from_be_bytes([fragment[20], fragment[21]]) & 0x1fff);
        let end = start + (fragment.len() - 34).div_ceil(8);
        come.resize(come.len().max(end), false);
        come[start..end].fill(true);
        most = most.max(come.chunk_by(|a, b| a == b).filter(|run| run[0]).count());
    }
    most
}
