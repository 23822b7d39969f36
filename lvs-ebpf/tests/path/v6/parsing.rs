//! What is not for the director goes on to the stack as it came, whatever it looks like.

use lvs_common::{
    map::Method,
    net::protocol,
    sched::Kind,
    verdict::{Reason, Verdict},
};

use super::{
    frame::{Frame, frame},
    layout::{CLIENT, Directs as _, VIP, director, end, key},
};
use crate::{director::FORWARDED, layout};

fn passed(bytes: &[u8], reason: Reason) {
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        director(method).receives_bytes(bytes).is(Verdict::Pass(reason));
        // The same when there is a connection.
        let mut director = director(method);
        director.directs(&frame(CLIENT, VIP));
        director.directs(&frame(CLIENT, VIP).udp());
        director.receives_bytes(bytes).is(Verdict::Pass(reason));
    }
}

fn patched(frame: &Frame, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame.bytes();
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}

#[test]
fn cut_short_anywhere_it_is_malformed() {
    let syn = frame(CLIENT, VIP);
    for frame in [
        syn.clone(),
        syn.clone().payload(*b"payload"),
        syn.clone()
            .extension(0, &[0; 6])
            .extension(43, &[4, 0, 0, 0, 0, 0])
            .extension(60, &[1; 62]),
        syn.clone().udp(),
        syn.clone().udp().payload(*b"payload").extension(60, &[1; 14]),
    ] {
        let bytes = frame.bytes();
        for length in 0..bytes.len() {
            passed(&bytes[..length], Reason::Malformed);
        }
        director(Method::MASQ).receives_bytes(&bytes).is(FORWARDED);
    }
}

#[test]
fn headers_that_lie_are_malformed() {
    const VERSION: usize = 14;
    const PAYLOAD_LENGTH: usize = 14 + 4;
    const UDP_CHECK: usize = 14 + 40 + 6;
    let syn = frame(CLIENT, VIP).payload([0; 64]);
    for version in (0..16).filter(|version| *version != 6) {
        passed(&patched(&syn, VERSION, &[version << 4]), Reason::Malformed);
    }
    for length in (0..20).chain([85, 65_535]) {
        passed(&patched(&syn, PAYLOAD_LENGTH, &u16::to_be_bytes(length)), Reason::Malformed);
    }
    let udp = syn.udp();
    for length in 0..8 {
        passed(&patched(&udp, PAYLOAD_LENGTH, &u16::to_be_bytes(length)), Reason::Malformed);
    }
    // RFC 8200 §8.1: every datagram has a checksum.
    passed(&patched(&udp, UDP_CHECK, &[0, 0]), Reason::Malformed);
}

#[test]
fn other_addresses_and_ports_are_the_stacks() {
    let mut next = VIP.ip().segments();
    next[7] += 1;
    let other = end(next, 80);
    passed(&frame(CLIENT, other).bytes(), Reason::NotOurs);
    // The filter takes it for the VIP: its words are the VIP's in another order.
    let mut turned = VIP.ip().segments();
    turned.rotate_left(2);
    let folded = end(turned, 80);
    passed(&frame(CLIENT, folded).bytes(), Reason::NoService);
    for port in [0, 79, 81, 0x5000] {
        passed(&frame(CLIENT, end(VIP.ip().segments(), port)).bytes(), Reason::NoService);
    }
}

#[test]
fn an_ipv4_address_mapped_into_ipv6_is_not_the_ipv4_service() {
    let vip = layout::VIP.ip().to_ipv6_mapped().segments();
    let mapped = frame(CLIENT, end(vip, layout::VIP.port()));
    for method in [Method::DIRECT_ROUTE, Method::MASQ] {
        let mut director = layout::director(method);
        let verdict = director.directs(&mapped).verdict;
        let [no_service, not_ours] = [Reason::NoService, Reason::NotOurs].map(Verdict::Pass);
        assert!(verdict == no_service || verdict == not_ours, "{verdict:?}");
    }
}

#[test]
fn each_family_has_services_and_connections_of_its_own() {
    let mut director = director(Method::DIRECT_ROUTE);
    // The IPv6 service whose address IPv4 maps to the other one's.
    let vip = layout::VIP.ip().to_ipv6_mapped().segments();
    let vip = end(vip, layout::VIP.port());
    let dest = director.tables.maps.dests[0];
    let slot = director.tables.add_service(key(vip, protocol::TCP), Kind::Rr, &[(dest, 1)]);
    let client = end(layout::CLIENT.ip().to_ipv6_mapped().segments(), layout::CLIENT.port());
    director.directs(&frame(client, vip)).is(FORWARDED);
    assert_eq!(director.load(slot), (1, 0));
    let v4 = crate::frame::frame(layout::CLIENT, layout::VIP);
    let verdict = director.receives(&v4).verdict;
    assert!(matches!(verdict, Verdict::Pass(Reason::NoService | Reason::NotOurs)), "{verdict:?}");
    assert_eq!(director.entries().len(), 1);
}
