//! Fragments through the loaded program, to the byte: each comes out as a fragment of what the whole datagram would
//! have become.

use std::net::SocketAddr;

use lvs_tests::rig::{
    Fate, Place, Rig, Side,
    packet::{Packet, mac_of},
    run,
};

const ETHERNET: usize = 14;
/// An order behind the first, by number.
const ORDER: [usize; 7] = [0, 4, 1, 6, 3, 2, 5];

struct Ends {
    client: &'static str,
    vip: &'static str,
    server: &'static str,
}

const V4: Ends =
    Ends { client: "10.0.0.1:5000", vip: "192.168.4.5:53", server: "192.168.2.11:5353" };
const V6: Ends =
    Ends { client: "[2001:db8:c::1]:5000", vip: "[2001:db8:4::5]:53", server: "[fd00:2::11]:5353" };

#[test]
fn fragments_become_what_the_whole_would() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    for ends in [V4, V6] {
        for flag in ["-g", "-m"] {
            let at = |end: &str| end.parse::<SocketAddr>().unwrap();
            let (client, vip, server) = (at(ends.client), at(ends.vip), at(ends.server));
            let server =
                if flag == "-g" { SocketAddr::new(server.ip(), vip.port()) } else { server };
            rig.must(&format!("ipvsadm -A -u {vip} -s rr")).unwrap();
            rig.must(&format!("ipvsadm -a -u {vip} -r {server} {flag}")).unwrap();
            let data: Vec<u8> = (0..6100).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let request = Packet::udp(client, vip, &data);
            let to = if flag == "-m" { server } else { vip };
            let expected = Packet { to, ..request.clone() }.routed();
            let expected = rig.outward(Side::Servers, mac_of(server.ip()), &expected);
            goes(&rig, Side::Clients, &request, &expected);
            if flag == "-m" {
                let reply = Packet::udp(server, client, &data);
                let returned = Packet { from: vip, ..reply.clone() }.routed();
                let to_router = [2, 0, 0, 0, 0, 0xfe];
                let expected = rig.outward(Side::Clients, to_router, &returned);
                goes(&rig, Side::Servers, &reply, &expected);
            }
            let listing = rig.counted();
            let counted = listing.services[0].dests[0].stats.as_ref().unwrap();
            let packets = (counted.in_packets, counted.out_packets);
            assert_eq!(packets, (1, u64::from(flag == "-m")), "a datagram is a packet");
            rig.reset().unwrap();
        }
    }
}

#[test]
fn fragments_that_do_not_fit_are_dropped_and_counted() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    rig.must("ipvsadm -A -u 192.168.4.5:53 -s rr").unwrap();
    rig.must("ipvsadm -a -u 192.168.4.5:53 -r 192.168.2.11:53 -g").unwrap();
    let (client, vip) = (V4.client.parse().unwrap(), V4.vip.parse().unwrap());
    let whole = rig.arriving(Side::Clients, &Packet::udp(client, vip, &[7; 6100]));
    let (fragments, others) = (cut(&whole, 1000), cut(&whole, 1200));
    let program = rig.program().unwrap();
    let sends = |frame: &[u8]| run(&program, rig.index(Side::Clients), frame).unwrap();
    let is_dropped = |frame: &[u8], reason: &str| {
        let before = rig.reason(reason);
        assert_eq!((sends(frame), rig.reason(reason)), (Fate::Dropped, before + 1), "{reason}");
    };
    is_dropped(&fragments[1], "fragment_early");
    assert!(matches!(sends(&fragments[0]), Fate::Sent(_)));
    assert!(matches!(sends(&fragments[2]), Fate::Sent(_)));
    is_dropped(&fragments[0], "fragment_duplicate");
    is_dropped(&fragments[2], "fragment_duplicate");
    is_dropped(&others[1], "fragment_overlap");
    is_dropped(&fragments[1], "fragment_refused");
    let mut endless = fragments[6].clone();
    endless[20..22].copy_from_slice(&[0x1f, 0xff]);
    is_dropped(&endless, "fragment_endless");
}

/// Sends a packet in fragments, and compares what comes out with the fragments of a frame.
#[track_caller]
fn goes(rig: &Rig<'_>, side: Side, packet: &Packet, expected: &[u8]) {
    let (fragments, expected) = (cut(&rig.arriving(side, packet), 1000), cut(expected, 1000));
    assert_eq!(fragments.len(), ORDER.len());
    for number in ORDER {
        let fate = run(&rig.program().unwrap(), rig.index(side), &fragments[number]).unwrap();
        assert_eq!(fate, Fate::Sent(expected[number].clone()), "fragment {number} of {packet}");
    }
}

/// The fragments of a frame without IP options or extension headers.
fn cut(frame: &[u8], bytes: usize) -> Vec<Vec<u8>> {
    let is_v4 = frame[12..14] == [8, 0];
    let (head, payload) = frame.split_at(ETHERNET + if is_v4 { 20 } else { 40 });
    let last = payload.len().div_ceil(bytes) - 1;
    let fragment = |(number, part): (usize, &[u8])| {
        let (offset, more) = (number * bytes, number != last);
        let mut fragment = head.to_vec();
        if is_v4 {
            let word = u16::try_from(offset / 8).unwrap() | u16::from(more) << 13;
            let length = u16::try_from(20 + part.len()).unwrap();
            fragment[16..18].copy_from_slice(&length.to_be_bytes());
            fragment[20..22].copy_from_slice(&word.to_be_bytes());
            fragment[24..26].fill(0);
            let sum = sum(&fragment[ETHERNET..]);
            fragment[24..26].copy_from_slice(&sum.to_be_bytes());
        } else {
            let length = u16::try_from(8 + part.len()).unwrap();
            fragment[18..20].copy_from_slice(&length.to_be_bytes());
            let next = std::mem::replace(&mut fragment[20], 44);
            let word = u16::try_from(offset).unwrap() | u16::from(more);
            fragment.extend([next, 0]);
            fragment.extend(word.to_be_bytes());
            fragment.extend([1, 2, 3, 4]);
        }
        fragment.extend(part);
        fragment
    };
    payload.chunks(bytes).enumerate().map(fragment).collect()
}

/// RFC 1071 over an even number of bytes.
fn sum(bytes: &[u8]) -> u16 {
    let halves = bytes.chunks(2).map(|half| u32::from(u16::from_be_bytes([half[0], half[1]])));
    let sum: u32 = halves.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()
}
