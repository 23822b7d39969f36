//! Errors of `ICMPv6`: they reach whoever sent the packet that they are about, be it a fragment.

use std::net::{Ipv6Addr, SocketAddrV6};

use etherparse::{Icmpv6Header, Icmpv6Type, IpNumber, Ipv6Header};
use lvs_common::{
    map::Method,
    net::Mac,
    verdict::{Reason, Verdict},
};

use super::{
    frame::{Frame, frame},
    layout::{CLIENT, Directs as _, RIPS, VIP, director},
};
use crate::{
    complaint::framed,
    cut::cut6,
    director::{Director, FORWARDED, RETURNED},
    frame::{ACK, SYN},
    layout::{CLIENT_MAC, DIRECTOR_MAC, INSIDE_MAC, RIP_MACS},
};

/// Unreachable port, too big, time exceeded in reassembly.
const ERRORS: [(u8, u8); 3] = [(1, 4), (2, 0), (3, 1)];
const INFO: [u8; 4] = [0, 0, 5, 120];
const ROUTER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 0x99);
const ETHERNET: usize = 14;

/// An error in its frame.
fn error(
    (from, to): (Ipv6Addr, Ipv6Addr),
    macs: (Mac, Mac),
    (hop_limit, what): (u8, (u8, u8)),
    quoted: &[u8],
) -> Vec<u8> {
    let kind = Icmpv6Type::Unknown { type_u8: what.0, code_u8: what.1, bytes5to8: INFO };
    let icmp = Icmpv6Header::with_checksum(kind, from.octets(), to.octets(), quoted).unwrap();
    let ip = Ipv6Header {
        payload_length: u16::try_from(8 + quoted.len()).unwrap(),
        next_header: IpNumber::IPV6_ICMP,
        hop_limit,
        source: from.octets(),
        destination: to.octets(),
        ..Ipv6Header::default()
    };
    let mut packet = ip.to_bytes().to_vec();
    packet.extend(icmp.to_bytes());
    packet.extend(quoted);
    let mut bytes = framed(macs, &packet);
    bytes[12..14].copy_from_slice(&[0x86, 0xdd]);
    bytes
}

/// A director that knows the client.
fn acquainted(method: Method) -> Director {
    let mut director = director(method);
    for request in
        [frame(CLIENT, VIP).tcp(SYN), frame(CLIENT, VIP).tcp(ACK), frame(CLIENT, VIP).udp()]
    {
        director.directs(&request).is(FORWARDED);
    }
    director
}

/// What errors quote of packets between two ends: of a whole one, of a first fragment, and no more of it than
/// its ports.
fn quotes(from: SocketAddrV6, to: SocketAddrV6) -> Vec<Vec<u8>> {
    let data = frame(from, to).payload([7; 2000]);
    let kinds: [Frame; 2] = [data.clone().tcp(ACK), data.udp()];
    let mut quotes = Vec::new();
    for kind in kinds {
        let first = &cut6(&kind.bytes(), 1232, 5)[0];
        quotes.push(kind.bytes()[ETHERNET..][..1000].to_vec());
        quotes.push(first[ETHERNET..][..1000].to_vec());
        quotes.push(first[ETHERNET..][..40 + 8 + 8].to_vec());
    }
    quotes
}

/// The transport checksum in a quotation is that of the packet that was sent.
fn with_check_of(mut quoted: Vec<u8>, sent: &[u8]) -> Vec<u8> {
    let (next, at) = if quoted[6] == 44 { (quoted[40], 48) } else { (quoted[6], 40) };
    let check = if next == 6 { at + 16..at + 18 } else { at + 6..at + 8 };
    if check.end <= quoted.len() {
        quoted[check.clone()].copy_from_slice(&sent[check]);
    }
    quoted
}

#[test]
fn in_nat_what_is_said_to_the_vip_reaches_the_real_server() {
    for what in ERRORS {
        for (seen, sent) in quotes(VIP, CLIENT).into_iter().zip(quotes(RIPS[0], CLIENT)) {
            let ends = (ROUTER, *VIP.ip());
            let received = error(ends, (CLIENT_MAC, DIRECTOR_MAC), (60, what), &seen);
            let outcome = acquainted(Method::MASQ).receives_bytes(&received);
            let ends = (ROUTER, *RIPS[0].ip());
            let quoted = with_check_of(sent, &seen);
            let expected = error(ends, (INSIDE_MAC, RIP_MACS[0]), (59, what), &quoted);
            outcome.is(FORWARDED).carries_bytes(&expected);
        }
    }
}

#[test]
fn in_nat_what_is_said_of_a_request_reaches_the_client_as_the_vips_word() {
    for what in ERRORS {
        for (seen, sent) in quotes(CLIENT, RIPS[0]).into_iter().zip(quotes(CLIENT, VIP)) {
            let ends = (*RIPS[0].ip(), *CLIENT.ip());
            let received = error(ends, (RIP_MACS[0], INSIDE_MAC), (60, what), &seen);
            let outcome = acquainted(Method::MASQ).receives_bytes(&received);
            let ends = (*VIP.ip(), *CLIENT.ip());
            let quoted = with_check_of(sent, &seen);
            let expected = error(ends, (DIRECTOR_MAC, CLIENT_MAC), (59, what), &quoted);
            outcome.is(RETURNED).carries_bytes(&expected);
        }
    }
}

#[test]
fn in_dr_it_goes_to_the_real_server_as_it_is() {
    for quoted in quotes(VIP, CLIENT) {
        let ends = (ROUTER, *VIP.ip());
        let received = error(ends, (CLIENT_MAC, DIRECTOR_MAC), (60, (2, 0)), &quoted);
        let outcome = acquainted(Method::DIRECT_ROUTE).receives_bytes(&received);
        let expected = error(ends, (INSIDE_MAC, RIP_MACS[0]), (59, (2, 0)), &quoted);
        outcome.is(FORWARDED).carries_bytes(&expected);
    }
}

#[test]
fn a_later_fragment_tells_no_ports() {
    let whole = frame(VIP, CLIENT).udp().payload([7; 2000]).bytes();
    for later in &cut6(&whole, 1232, 5)[1..] {
        let received = error(
            (ROUTER, *VIP.ip()),
            (CLIENT_MAC, DIRECTOR_MAC),
            (60, (2, 0)),
            &later[ETHERNET..],
        );
        let outcome = acquainted(Method::MASQ).receives_bytes(&received);
        outcome.is(Verdict::Pass(Reason::Unrelated));
    }
}
