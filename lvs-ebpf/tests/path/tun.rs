//! TUN: the packet reaches the real server as the client sent it, one hop older, inside another one.

use std::net::Ipv4Addr;

use etherparse::{EtherType, Ethernet2Header, IpDscp, IpEcn, IpNumber, Ipv4Header, UdpHeader};
use lvs_common::{
    map::{Method, NextHop, tunnel},
    net::{Be16, Mac, checksum},
    verdict::{Reason, Verdict},
    wire::{
        Frame as _,
        host::{HEADROOM, VecFrame},
    },
};

use crate::{
    director::{Director, FORWARDED, Outcome},
    frame::{ACK, Frame, PSH, SYN, frame},
    layout::{
        CLIENT, CLIENT_MAC, DIP, DIRECTOR_MAC, INGRESS, INSIDE_MAC, RIP_MACS, RIPS, VIP, be32,
        director, end,
    },
};

const GUE_PORT: u16 = 5555;
const TOS: usize = 15;
const ID: usize = 18;
const FLAGS: usize = 20;
const TTL: usize = 22;
/// Of what follows the outer IP header.
const BEHIND: usize = 34;

/// Every way to wrap, and what it adds to a packet.
const WRAPS: [(u8, usize); 6] = [
    (tunnel::IPIP, 20),
    (tunnel::GUE, 32),
    (tunnel::GUE | tunnel::CHECKSUM, 32),
    (tunnel::GUE | tunnel::REMOTE_CHECKSUM, 32),
    (tunnel::GRE, 24),
    (tunnel::GRE | tunnel::CHECKSUM, 28),
];

fn tunnels(wrap: u8) -> Director {
    let mut director = director(Method::TUNNEL);
    for dest in &mut director.tables.maps.dests {
        (dest.tunnel, dest.tunnel_port) = (wrap, Be16::new(GUE_PORT));
    }
    director
}

/// What an outer IP header says beside the protocol and the addresses.
#[derive(Clone, Copy)]
struct Hull {
    macs: (Mac, Mac),
    tos: u8,
    ttl: u8,
    /// Of fragments; none: don't fragment.
    id: Option<u16>,
}

const HULL: Hull = Hull { macs: (INSIDE_MAC, RIP_MACS[0]), tos: 0, ttl: 63, id: None };

/// The frame that carries `inner`, IP header first, by hand and by etherparse. `port` is GUE's source port.
fn wrapped(wrap: u8, inner: &[u8], hull: Hull, port: u16) -> Vec<u8> {
    let is_summed = wrap & !tunnel::KIND != 0;
    let mut ip =
        Ipv4Header::new(0, hull.ttl, IpNumber::IPV4, DIP.octets(), RIPS[0].ip().octets()).unwrap();
    ip.dscp = IpDscp::try_new(hull.tos >> 2).unwrap();
    ip.ecn = IpEcn::try_new(hull.tos & 3).unwrap();
    ip.dont_fragment = hull.id.is_none();
    ip.identification = hull.id.unwrap_or(0);
    let mut body = Vec::new();
    match wrap & tunnel::KIND {
        tunnel::GUE => {
            ip.protocol = IpNumber::UDP;
            let carried = [&[0, 4, 0, 0], inner].concat();
            let mut udp = UdpHeader::with_ipv4_checksum(port, GUE_PORT, &ip, &carried).unwrap();
            udp.checksum = if is_summed { udp.checksum } else { 0 };
            udp.write(&mut body).unwrap();
            body.extend(carried);
        }
        tunnel::GRE => {
            ip.protocol = IpNumber::GRE;
            let head = if is_summed { &[0x80, 0, 8, 0, 0, 0, 0, 0][..] } else { &[0, 0, 8, 0][..] };
            body = [head, inner].concat();
            if is_summed {
                let check = !checksum::sum(&body);
                body[4..6].copy_from_slice(&check.to_ne_bytes());
            }
        }
        _ => body.extend(inner),
    }
    ip.set_payload_len(body.len()).unwrap();
    let mut bytes = Vec::new();
    let ethernet = Ethernet2Header {
        source: hull.macs.0.bytes(),
        destination: hull.macs.1.bytes(),
        ether_type: EtherType::IPV4,
    };
    ethernet.write(&mut bytes).unwrap();
    ip.write(&mut bytes).unwrap();
    bytes.extend(body);
    bytes
}

fn port_of(outcome: &Outcome) -> u16 {
    u16::from_be_bytes([outcome.after[BEHIND], outcome.after[BEHIND + 1]])
}

#[track_caller]
fn carries(outcome: &Outcome, wrap: u8, inner: &Frame, hull: Hull, padding: usize) {
    let mut expected = wrapped(wrap, &inner.packet(), hull, port_of(outcome));
    expected.resize(expected.len() + padding, 0);
    assert_eq!(outcome.after, expected, "{outcome}");
}

#[test]
fn every_packet_is_wrapped_in_every_way() {
    let request = frame(CLIENT, VIP);
    let frames = [
        (request.clone().tcp(SYN), 0),
        (request.clone().tcp(SYN).payload(*b"fast open"), 0),
        (request.clone().tcp(SYN).payload([7; 1428]), 0),
        (request.clone().tcp(SYN).padding(6), 6),
        (request.clone().tcp(SYN).options(&[7, 7, 4, 0, 0, 0, 0, 0]), 0),
        (request.clone().tcp(SYN).options(&[1; 40]).payload(*b"odd"), 0),
        (request.clone().udp(), 0),
        (request.clone().udp().payload(*b"odd"), 0),
        (request.clone().udp().payload([0xff; 1000]), 0),
        (request.clone().udp_without_checksum().payload(*b"even"), 0),
        (request.udp_without_checksum().payload([0xa5; 1001]).padding(3), 3),
    ];
    for (wrap, _) in WRAPS {
        for (frame, padding) in &frames {
            let mut director = tunnels(wrap);
            let outcome = director.receives(frame);
            carries(outcome.is(FORWARDED), wrap, &frame.clone().aged(), HULL, *padding);
            let counted = director.tables.maps.counters.iter().map(|it| it.in_bytes).sum::<u64>();
            assert_eq!(counted, frame.ip_len() as u64);
        }
    }
}

#[test]
fn a_sum_of_zero_is_a_checksum_too() {
    // Every value of a word that is in the sum: one of them makes the sum zero.
    for (wrap, at, zero) in
        [(tunnel::GUE | tunnel::CHECKSUM, 40, 0xffff), (tunnel::GRE | tunnel::CHECKSUM, 38, 0)]
    {
        let mut director = tunnels(wrap);
        let mut zeros = 0;
        for word in 0..=u16::MAX {
            let frame = frame(CLIENT, VIP).udp_without_checksum().payload(word.to_be_bytes());
            let outcome = director.receives(&frame);
            carries(outcome.is(FORWARDED), wrap, &frame.aged(), HULL, 0);
            zeros += u32::from(outcome.after[at..at + 2] == u16::to_be_bytes(zero));
        }
        assert!((1..=2).contains(&zeros), "{zeros}");
    }
}

#[test]
fn a_checksum_that_the_senders_card_is_to_finish_is_foreseen() {
    for wrap in [tunnel::GUE | tunnel::CHECKSUM, tunnel::GRE | tunnel::CHECKSUM] {
        let finished = frame(CLIENT, VIP).payload(*b"some data");
        let mut bytes = finished.bytes();
        let pseudo = checksum::pseudo_v4(be32(*CLIENT.ip()), be32(*VIP.ip()), 6, 29);
        bytes[50..52].copy_from_slice(&pseudo.to_ne_bytes());
        let outcome = tunnels(wrap).receives_bytes(&bytes);
        let mut completed = outcome.is(FORWARDED).after.clone();
        let check = completed.len() - 29 + 16;
        completed[check..check + 2].copy_from_slice(&finished.bytes()[50..52]);
        let expected = wrapped(wrap, &finished.aged().packet(), HULL, port_of(&outcome));
        assert_eq!(completed, expected, "{outcome}");
    }
}

#[test]
fn congestion_on_the_way_is_told_inside_only() {
    for (inner, outer) in
        [(0x00, 0x00), (0xb8, 0xb8), (0x09, 0x09), (0x0a, 0x0a), (0x0b, 0x0a), (0xff, 0xfe)]
    {
        let frame = frame(CLIENT, VIP).tos(inner);
        let outcome = tunnels(tunnel::IPIP).receives(&frame);
        carries(outcome.is(FORWARDED), tunnel::IPIP, &frame.aged(), Hull { tos: outer, ..HULL }, 0);
        assert_eq!(outcome.after[TOS], outer);
    }
}

#[test]
fn both_headers_have_the_ttl_after_the_hop_and_the_last_hop_ends_it() {
    for ttl in [2, 64, 255] {
        let frame = frame(CLIENT, VIP).ttl(ttl);
        let outcome = tunnels(tunnel::IPIP).receives(&frame);
        assert_eq!(outcome.is(FORWARDED).after[TTL], ttl - 1);
        carries(&outcome, tunnel::IPIP, &frame.aged(), Hull { ttl: ttl - 1, ..HULL }, 0);
    }
    let mut director = tunnels(tunnel::IPIP);
    director.receives(&frame(CLIENT, VIP).ttl(1)).is(Verdict::Drop(Reason::TtlExpired));
    assert_eq!(director.tables.maps.counters[0].in_packets, 1);
}

#[test]
fn what_may_be_cut_has_an_identification_outside_and_one_of_its_own_for_each_packet() {
    let mut director = tunnels(tunnel::IPIP);
    let mut seen = Vec::new();
    for id in [0, 1, 0xffff] {
        let frame = frame(CLIENT, VIP).may_fragment(id);
        let outcome = director.receives(&frame);
        let outer = u16::from_be_bytes([outcome.after[ID], outcome.after[ID + 1]]);
        carries(
            outcome.is(FORWARDED),
            tunnel::IPIP,
            &frame.aged(),
            Hull { id: Some(outer), ..HULL },
            0,
        );
        seen.push(outer);
    }
    assert_eq!(seen[1].wrapping_sub(seen[0]), 1);
    assert_eq!(seen[2], seen[0].wrapping_sub(1));
}

#[test]
fn a_flow_keeps_its_source_port_and_flows_have_different_ones() {
    let mut director = tunnels(tunnel::GUE);
    let mut ports = std::collections::BTreeSet::new();
    for client in 40_000..40_200 {
        let client = end(192, 0, 2, 10, client);
        let segments = [SYN, ACK, PSH | ACK]
            .map(|flags| port_of(director.receives(&frame(client, VIP).tcp(flags)).is(FORWARDED)));
        assert!(segments.iter().all(|port| *port == segments[0]), "{segments:?}");
        assert!((32_768..=60_999).contains(&segments[0]), "{segments:?}");
        ports.insert(segments[0]);
    }
    assert!(ports.len() > 190, "{}", ports.len());
}

#[test]
fn the_outer_packet_has_to_fit_too() {
    for (wrap, more) in WRAPS {
        let just = frame(CLIENT, VIP).payload(vec![0; 1460 - more]);
        let longer = frame(CLIENT, VIP).payload(vec![0; 1461 - more]);
        assert_eq!((just.ip_len(), longer.ip_len()), (1500 - more, 1501 - more));
        let outcome = tunnels(wrap).receives(&just);
        assert_eq!(outcome.is(FORWARDED).after.len(), 1514);
        tunnels(wrap).receives(&longer).is(Verdict::Drop(Reason::OverMtu));
    }
}

#[test]
fn the_stack_cuts_what_may_be_cut() {
    for (wrap, more) in WRAPS {
        let longer = frame(CLIENT, VIP).may_fragment(7).payload(vec![1; 1461 - more]);
        let outcome = tunnels(wrap).receives(&longer);
        outcome.is(Verdict::Pass(Reason::ByStack));
        let id = u16::from_be_bytes([outcome.after[ID], outcome.after[ID + 1]]);
        assert_eq!(outcome.after[FLAGS..FLAGS + 2], [0, 0]);
        // To the director itself, which takes the hop off that is added here.
        let macs = (CLIENT_MAC, DIRECTOR_MAC);
        carries(&outcome, wrap, &longer.aged(), Hull { macs, ttl: 64, id: Some(id), ..HULL }, 0);
    }
}

#[test]
fn merged_segments_go_out_where_they_came_in_and_nowhere_else() {
    let larger = frame(CLIENT, VIP).payload([0; 4000]);
    for (interface, verdict) in
        [(INGRESS, Verdict::Transmit), (INGRESS + 1, Verdict::Drop(Reason::OverMtu))]
    {
        let mut generic = tunnels(tunnel::IPIP);
        generic.tables.maps.is_generic = true;
        let hop = &mut generic.tables.maps.next_hops[1];
        (hop.interface, hop.flags) = (interface, NextHop::REFLECTS);
        generic.receives(&larger).is(verdict);
        // One that is too long only with the outer header is no merged one.
        let lone = frame(CLIENT, VIP).payload([0; 1460]);
        generic.receives(&lone).is(Verdict::Drop(Reason::OverMtu));
    }
}

#[test]
fn a_frame_without_room_before_it_is_dropped() {
    for (wrap, more) in WRAPS {
        for (headroom, verdict) in [
            (more - 1, Verdict::Drop(Reason::NoHeadroom)),
            (more, FORWARDED),
            (HEADROOM, FORWARDED),
        ] {
            let bytes = frame(CLIENT, VIP).bytes();
            let mut frame = VecFrame::new(&bytes, INGRESS).with_headroom(headroom);
            assert_eq!(tunnels(wrap).tables.direct(&mut frame), verdict);
            assert_eq!(frame.len() > bytes.len(), verdict == FORWARDED);
        }
    }
}

#[test]
fn without_a_next_hop_or_of_no_kind_it_is_dropped() {
    let mut director = tunnels(tunnel::IPIP);
    director.tables.maps.dests[0].next_hop = NextHop::UNRESOLVED;
    director.receives(&frame(CLIENT, VIP)).is(Verdict::Drop(Reason::NoNextHop));
    tunnels(3).receives(&frame(CLIENT, VIP)).is(Verdict::Drop(Reason::Broken));
}

#[test]
fn it_goes_to_the_real_servers_own_address() {
    let mut director = tunnels(tunnel::IPIP);
    let rips = [0, 1].map(|number| {
        let client = end(192, 0, 2, 10, 40_000 + number);
        let outcome = director.receives(&frame(client, VIP));
        let octets: [u8; 4] = outcome.after[30..34].try_into().unwrap();
        Ipv4Addr::from(octets)
    });
    assert_eq!(rips, RIPS.map(|rip| *rip.ip()));
}
