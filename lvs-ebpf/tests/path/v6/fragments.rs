//! Fragments of IPv6.

use lvs_common::{
    map::Method,
    verdict::{Reason, Verdict},
};

use super::{
    frame::frame,
    layout::{CLIENT, RIPS, VIP, director},
};
use crate::{
    cut::{cut6, join6},
    director::{FORWARDED, RETURNED},
    frame::{ACK, Forwarded as _, SYN},
    layout::{CLIENT_MAC, DIRECTOR_MAC, INSIDE_MAC, RIP_MACS},
};

const ID: u32 = 0x0102_0304;

#[test]
fn every_fragment_goes_where_the_first_went_and_adds_up() {
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        for payload in [65, 4000, 8001] {
            let plain = frame(CLIENT, VIP).payload(vec![0xa5; payload]);
            for request in [plain.clone().tcp(SYN), plain.udp()] {
                let fragments = cut6(&request.bytes(), 1440, ID);
                let mut director = director(method);
                if fragments.len() == 1 {
                    // RFC 6946: a datagram in one fragment is whole.
                    let sent = director.sends(&fragments, FORWARDED);
                    assert_eq!(join6(&sent), request.requested(method).bytes());
                    assert!(director.tables.maps.datagrams.is_empty());
                    continue;
                }
                let mut order = fragments.clone();
                order[1..].reverse();
                let sent = director.sends(&order, FORWARDED);
                assert_eq!(join6(&sent), request.requested(method).bytes());
                assert!(director.tables.maps.datagrams.is_empty(), "it has come whole");
            }
        }
    }
}

#[test]
fn replies_of_nat_come_from_the_vip_fragment_by_fragment() {
    let mut director = director(Method::MASQ);
    director.receives_bytes(&frame(CLIENT, VIP).udp().bytes());
    let reply = frame(RIPS[0], CLIENT).udp().payload([1; 5000]).macs(RIP_MACS[0], INSIDE_MAC);
    let sent = director.sends(&cut6(&reply.bytes(), 1400, ID), RETURNED);
    let expected = reply.clone().source(VIP).aged().macs(DIRECTOR_MAC, CLIENT_MAC);
    assert_eq!(join6(&sent), expected.bytes());
    let counters = director.tables.maps.counters[2];
    assert_eq!((counters.out_packets, counters.out_bytes), (1, reply.ip_len() as u64));
}

#[test]
fn overlapping_early_and_tiny_ones_are_dropped() {
    let request = frame(CLIENT, VIP).tcp(SYN).payload([3; 6000]).bytes();
    let (fragments, others) = (cut6(&request, 1400, ID), cut6(&request, 1000, ID));
    let mut director = director(Method::DIRECT_ROUTE);
    director.receives_bytes(&fragments[1]).is(Verdict::Drop(Reason::FragmentEarly));
    director.receives_bytes(&fragments[0]).is(FORWARDED);
    director.receives_bytes(&others[1]).is(Verdict::Drop(Reason::FragmentOverlap));
    director.receives_bytes(&fragments[1]).is(Verdict::Drop(Reason::FragmentRefused));
    let tiny = cut6(&request, 16, ID + 1);
    director.receives_bytes(&tiny[0]).is(Verdict::Drop(Reason::FragmentTiny));
}

#[test]
fn what_the_stack_gets_it_gets_whole() {
    let mut director = director(Method::MASQ);
    let request = frame(CLIENT, VIP).tcp(ACK).payload([3; 3000]).bytes();
    let fragments = cut6(&request, 1400, ID);
    director.receives_bytes(&fragments[0]).is(Verdict::Pass(Reason::NotSchedulable));
    director.sends(&fragments[1..], Verdict::Pass(Reason::Fragment));
    let icmp = frame(CLIENT, VIP).protocol(58).payload([128; 3000]).bytes();
    director.sends(&cut6(&icmp, 1400, ID + 1), Verdict::Pass(Reason::Fragment));
}
