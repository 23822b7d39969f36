//! Fragments through the loaded program, to the byte: each comes out as a fragment of what the whole datagram would
//! have become.

use std::net::SocketAddr;

use lvs_tests::{
    pieces::cut,
    rig::{
        Fate, Place, Rig, Side,
        packet::{Packet, mac_of},
        run,
    },
};

/// Of all datagrams.
const ID: u16 = 0x1234;
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
    let (fragments, others) = (cut(&whole, 1000, ID), cut(&whole, 1200, ID));
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
    let (fragments, expected) =
        (cut(&rig.arriving(side, packet), 1000, ID), cut(expected, 1000, ID));
    assert_eq!(fragments.len(), ORDER.len());
    for number in ORDER {
        let fate = run(&rig.program().unwrap(), rig.index(side), &fragments[number]).unwrap();
        assert_eq!(fate, Fate::Sent(expected[number].clone()), "fragment {number} of {packet}");
    }
}
