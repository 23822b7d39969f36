//! What is not for the director goes on to the stack as it came, whatever it looks like.

use lvs_common::{
    map::Method,
    net::protocol,
    verdict::{Reason, Verdict},
};

use crate::{
    director::FORWARDED,
    frame::{ACK, Frame, SYN, frame},
    layout::{CLIENT, VIP, director, end},
};

const METHODS: [Method; 2] = [Method::DIRECT_ROUTE, Method::MASQ];

fn passed(bytes: &[u8], reason: Reason) {
    for method in METHODS {
        director(method).receives_bytes(bytes).is(Verdict::Pass(reason));
        // The same when there is a connection.
        let mut director = director(method);
        director.receives(&frame(CLIENT, VIP).tcp(SYN));
        director.receives(&frame(CLIENT, VIP).udp());
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
    let syn = frame(CLIENT, VIP).tcp(SYN);
    for frame in [
        syn.clone(),
        syn.clone().payload(*b"payload"),
        syn.clone().options(&[1; 40]),
        syn.clone().udp(),
        syn.clone().udp().payload(*b"payload").options(&[1; 8]),
    ] {
        let bytes = frame.bytes();
        for length in 0..bytes.len() {
            passed(&bytes[..length], Reason::Malformed);
        }
        let mut director = director(Method::MASQ);
        director.receives_bytes(&bytes).is(FORWARDED);
    }
}

#[test]
fn headers_that_lie_about_their_length_are_malformed() {
    const VERSION_IHL: usize = 14;
    const TOTAL_LENGTH: usize = 14 + 2;
    let syn = frame(CLIENT, VIP).tcp(SYN).payload([0; 64]);
    for ihl in 0..5 {
        passed(&patched(&syn, VERSION_IHL, &[0x40 | ihl]), Reason::Malformed);
    }
    for version in (0..16).filter(|version| *version != 4) {
        passed(&patched(&syn, VERSION_IHL, &[version << 4 | 5]), Reason::Malformed);
    }
    let too_short = (0..40).chain([105, 65_535]);
    for length in too_short {
        passed(&patched(&syn, TOTAL_LENGTH, &u16::to_be_bytes(length)), Reason::Malformed);
    }
    let udp = syn.udp();
    for length in 0..28 {
        passed(&patched(&udp, TOTAL_LENGTH, &u16::to_be_bytes(length)), Reason::Malformed);
    }
}

#[test]
fn fragments_of_others_are_the_stacks() {
    let datagram = frame(CLIENT, VIP).udp().payload([0; 64]);
    let foreign = datagram.clone().destination(end(192, 0, 2, 99, 80));
    for (offset, more) in [(0, true), (1, true), (185, false), (0x1fff, false)] {
        passed(&foreign.clone().fragment(offset, more).bytes(), Reason::Fragment);
        passed(&foreign.clone().tcp(ACK).fragment(offset, more).bytes(), Reason::Fragment);
    }
    let mut director = director(Method::MASQ);
    director.receives(&datagram.fragment(0, false)).is(FORWARDED);
}

#[test]
fn other_protocols_are_the_stacks() {
    const KNOWN: [u8; 3] = [protocol::TCP, protocol::UDP, protocol::SCTP];
    for number in (0..=255).filter(|number| !KNOWN.contains(number)) {
        passed(
            &frame(CLIENT, VIP).protocol(number).payload([8; 64]).bytes(),
            Reason::OtherProtocol,
        );
    }
}

#[test]
fn other_ethertypes_are_the_stacks() {
    for ethertype in [0x0806_u16, 0x88cc, 0x0000, 0x0801, 0x0008, 0xffff] {
        let syn = frame(CLIENT, VIP);
        passed(&patched(&syn, 12, &ethertype.to_be_bytes()), Reason::NotIp);
    }
}

#[test]
fn other_addresses_are_the_stacks() {
    for other in [end(198, 51, 100, 2, 80), end(192, 0, 2, 10, 80), end(255, 255, 255, 255, 80)] {
        passed(&frame(CLIENT, other).bytes(), Reason::NotOurs);
        passed(&frame(CLIENT, other).udp().bytes(), Reason::NotOurs);
    }
}

#[test]
fn other_ports_of_the_vip_are_the_stacks() {
    for port in [0, 79, 81, 8080, 0x5000] {
        passed(&frame(CLIENT, end(198, 51, 100, 1, port)).bytes(), Reason::NoService);
    }
}
