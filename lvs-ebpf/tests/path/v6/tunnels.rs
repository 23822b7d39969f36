//! TUN over IPv6: what is inside is of either family, whole or a fragment, and what is around it is right, its
//! checksum too.

use std::net::Ipv6Addr;

use etherparse::{Ipv6Header, Ipv6HeaderSlice, UdpHeader, UdpSlice};
use lvs_common::{
    map::{Method, tunnel},
    net::Be16,
    verdict::{Reason, Verdict},
    wire::host::VecFrame,
};

use super::{
    frame,
    layout::{self, RIPS},
};
use crate::{
    cut::{cut, cut6},
    director::{Director, FORWARDED},
    frame as four,
    layout::{self as layout4, INGRESS},
    stories::sums::sum,
};

const DIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x200, 0, 0, 0, 0, 1);
const GUE_PORT: u16 = 5555;
const ETHERNET: usize = 14;
const IPV6: usize = 40;

/// Every way to wrap, and the bytes behind the outer IP header.
const WRAPS: [(u8, usize); 5] = [
    (tunnel::IPIP, 0),
    (tunnel::GUE, 12),
    (tunnel::GUE | tunnel::CHECKSUM, 12),
    (tunnel::GRE, 4),
    (tunnel::GRE | tunnel::CHECKSUM, 8),
];

/// A director whose services of this family have their real servers at the end of tunnels over IPv6.
fn tunnels(is_v4: bool, wrap: u8) -> Director {
    let mut director =
        if is_v4 { layout4::director(Method::TUNNEL) } else { layout::director(Method::TUNNEL) };
    let maps = &mut director.tables.maps;
    for dest in &mut maps.dests {
        (dest.tunnel, dest.tunnel_port) = (wrap, Be16::new(GUE_PORT));
        dest.address = (*RIPS[0].ip()).into();
    }
    maps.next_hops.iter_mut().for_each(|hop| hop.from = DIP.into());
    director
}

/// What is inside a frame, of which the outer headers are right.
#[track_caller]
fn unwrapped(frame: &[u8], wrap: u8, behind: usize, is_v4: bool) -> Vec<u8> {
    let ip = Ipv6HeaderSlice::from_slice(&frame[ETHERNET..]).unwrap();
    assert_eq!(frame[12..14], [0x86, 0xdd]);
    assert_eq!((ip.source_addr(), ip.destination_addr()), (DIP, *RIPS[0].ip()));
    let body = &frame[ETHERNET + IPV6..];
    assert_eq!(usize::from(ip.payload_length()), body.len());
    let (carried, ethertype) = if is_v4 { (4, [8, 0]) } else { (41, [0x86, 0xdd]) };
    let is_summed = wrap & tunnel::CHECKSUM != 0;
    match wrap & tunnel::KIND {
        tunnel::GUE => {
            assert_eq!(ip.next_header().0, 17);
            let udp = UdpSlice::from_slice(body).unwrap();
            assert_eq!(
                (udp.destination_port(), &udp.payload()[..4]),
                (GUE_PORT, &[0, carried, 0, 0][..])
            );
            let (outer, header) = (ip.to_header(), udp.to_header());
            let check = if is_summed { checked(&outer, &header, udp.payload()) } else { 0 };
            assert_eq!(udp.checksum(), check);
        }
        tunnel::GRE => {
            assert_eq!((ip.next_header().0, &body[2..4]), (47, &ethertype[..]));
            assert_eq!(body[..2], [if is_summed { 0x80 } else { 0 }, 0]);
            assert!(!is_summed || sum(&[body]) == 0xffff);
        }
        _ => assert_eq!(ip.next_header().0, carried),
    }
    body[behind..].to_vec()
}

fn checked(outer: &Ipv6Header, header: &UdpHeader, payload: &[u8]) -> u16 {
    header.calc_checksum_ipv6(outer, payload).unwrap()
}

/// Requests, and as the real server must get them.
fn requests(is_v4: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut requests = Vec::new();
    for payload in [&b""[..], b"odd", b"even", &[0xff; 1000], &[0xa5; 1001]] {
        if is_v4 {
            let plain = four::frame(layout4::CLIENT, layout4::VIP).payload(payload);
            for frame in [
                plain.clone().tcp(four::SYN),
                plain.clone().options(&[1; 8]).tcp(four::SYN),
                plain.clone().udp(),
                plain.udp_without_checksum(),
            ] {
                requests.push((frame.bytes(), frame.aged().bytes()));
            }
        } else {
            let plain = frame::frame(layout::CLIENT, layout::VIP).payload(payload);
            for frame in [
                plain.clone().tcp(four::SYN),
                plain.clone().extension(60, &[1; 14]).tcp(four::SYN),
                plain.udp(),
            ] {
                requests.push((frame.bytes(), frame.aged().bytes()));
            }
        }
    }
    requests
}

#[test]
fn every_packet_of_either_family_is_wrapped_in_every_way() {
    for is_v4 in [true, false] {
        for (wrap, behind) in WRAPS {
            for (request, aged) in requests(is_v4) {
                let outcome = tunnels(is_v4, wrap).receives_bytes(&request);
                let inside = unwrapped(&outcome.is(FORWARDED).after, wrap, behind, is_v4);
                assert_eq!(inside, aged[ETHERNET..], "{outcome}");
            }
        }
    }
}

/// Fragments of a request in both families, as they are sent and as the real server must get them.
fn fragments(is_v4: bool, bytes: usize) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    if is_v4 {
        let whole = four::frame(layout4::CLIENT, layout4::VIP).udp().payload([3; 3001]);
        let whole = whole.may_fragment(9);
        return (cut(&whole.bytes(), bytes), cut(&whole.aged().bytes(), bytes));
    }
    let whole = frame::frame(layout::CLIENT, layout::VIP).udp().payload([3; 3001]);
    (cut6(&whole.bytes(), bytes, 9), cut6(&whole.aged().bytes(), bytes, 9))
}

#[test]
fn fragments_go_through_the_tunnel_as_they_are() {
    for is_v4 in [true, false] {
        for (wrap, behind) in WRAPS {
            let (sent, expected) = fragments(is_v4, 1400);
            let mut director = tunnels(is_v4, wrap);
            for (fragment, aged) in sent.iter().zip(expected) {
                let outcome = director.receives_bytes(fragment);
                let inside = unwrapped(&outcome.is(FORWARDED).after, wrap, behind, is_v4);
                assert_eq!(inside, aged[ETHERNET..], "{outcome}");
            }
        }
    }
}

/// The MTU that the sender of a dropped frame is told.
fn told(director: &mut Director, frame: &[u8]) -> Option<u32> {
    let mut frame = VecFrame::new(frame, INGRESS);
    assert_eq!(director.tables.direct(&mut frame), Verdict::Drop(Reason::OverMtu));
    director.tables.tell(&mut frame, Reason::OverMtu)?;
    let at = ETHERNET + if frame.bytes()[12] == 8 { 20 } else { IPV6 };
    Some(u32::from_be_bytes(frame.bytes()[at + 4..at + 8].try_into().unwrap()))
}

#[test]
fn what_does_not_fit_and_nobody_can_cut_its_sender_hears_of() {
    for is_v4 in [true, false] {
        for (wrap, behind) in WRAPS {
            let (sent, _) = fragments(is_v4, 1472);
            let mut director = tunnels(is_v4, wrap);
            let fits = u32::try_from(1500 - IPV6 - behind).unwrap();
            assert_eq!(told(&mut director, &sent[0]), Some(fits), "{wrap:#x}");
            // The rest goes the same way, which is as narrow.
            director.receives_bytes(&sent[1]).is(Verdict::Drop(Reason::OverMtu));
        }
    }
}
