//! Frames that nobody would send: whatever comes in, nothing panics, nothing is forwarded that is not
//! ours, what is forwarded has the checksums it had, and the accounts stay right.

use std::net::{Ipv4Addr, SocketAddrV4};

use etherparse::{Ipv4Slice, TcpSlice, UdpSlice};
use lvs_common::{map::Method, verdict::Verdict};
use proptest::{collection::vec, prelude::*};

use crate::{
    director::{Director, Outcome},
    frame::{ACK, Frame, SYN, frame},
    layout::{CLIENT, RIPS, VIP, director_of, end},
};

/// A frame's bytes, and what is done to them.
#[derive(Clone, Debug)]
struct Wild {
    frame: Frame,
    edits: Vec<(usize, u8)>,
    length: Option<usize>,
}

impl Wild {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.frame.bytes();
        for (at, value) in &self.edits {
            let at = at % bytes.len();
            bytes[at] = *value;
        }
        bytes.truncate(self.length.unwrap_or(bytes.len()));
        bytes
    }
}

fn ends() -> impl Strategy<Value = (SocketAddrV4, SocketAddrV4)> {
    let client = || {
        prop_oneof![
            Just(CLIENT),
            (0..12_u8, 0..3_u16).prop_map(|(host, port)| end(192, 0, 2, host, 40_000 + port)),
        ]
    };
    let rip = || prop_oneof![Just(RIPS[0]), Just(RIPS[1])];
    let vip = || prop_oneof![8 => Just(VIP), 1 => Just(end(198, 51, 100, 1, 81))];
    prop_oneof![
        6 => (client(), vip()),
        3 => (rip(), client()),
        1 => (rip(), vip()),
        1 => (vip(), client()),
    ]
}

fn wild() -> impl Strategy<Value = Wild> {
    let transport = prop_oneof![
        3 => Just(Some(SYN)),
        3 => Just(Some(ACK)),
        3 => (0..32_u8).prop_map(Some),
        2 => Just(None),
    ];
    let options = prop_oneof![4 => Just(0), 1 => 1..=10_usize];
    let payload = prop_oneof![4 => vec(any::<u8>(), 0..40), 1 => Just(vec![7; 1600])];
    let ttl = prop_oneof![1 => 0..3_u8, 9 => Just(64)];
    let frame = (ends(), transport, options, payload, ttl).prop_map(
        |((source, destination), flags, options, payload, ttl)| {
            let frame = frame(source, destination).options(&vec![1; options * 4]).ttl(ttl);
            let frame = match flags {
                Some(flags) => frame.tcp(flags),
                None => frame.udp(),
            };
            frame.payload(payload)
        },
    );
    // Most edits where the headers are.
    let edits = prop_oneof![
        5 => Just(Vec::new()),
        4 => vec((0..60_usize, any::<u8>()), 1..3),
        1 => vec((any::<usize>(), any::<u8>()), 1..20),
    ];
    let length = prop_oneof![8 => Just(None), 1 => (0..80_usize).prop_map(Some)];
    (frame, edits, length).prop_map(|(frame, edits, length)| Wild { frame, edits, length })
}

/// Two parsers agree on what is ours.
fn is_ours(bytes: &[u8]) -> bool {
    let Some((source, destination)) = ends_of(bytes) else { return false };
    destination == VIP || RIPS.contains(&source)
}

fn ip_of(bytes: &[u8]) -> Option<Ipv4Slice<'_>> {
    let is_ipv4 = bytes.get(12..14)? == [0x08, 0x00];
    Ipv4Slice::from_slice(bytes.get(14..)?).ok().filter(|_| is_ipv4)
}

fn ends_of(bytes: &[u8]) -> Option<(SocketAddrV4, SocketAddrV4)> {
    let ip = ip_of(bytes).filter(|ip| ip.header().fragments_offset().value() == 0)?;
    let payload = ip.payload().payload;
    let ports: [u8; 4] = payload.get(..4)?.try_into().ok()?;
    let is_known = match ip.header().protocol().0 {
        6 => payload.len() >= 20,
        17 => payload.len() >= 8,
        _ => false,
    };
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    let end = |address: Ipv4Addr, port| SocketAddrV4::new(address, port);
    let header = ip.header();
    is_known.then(|| (end(header.source_addr(), port(0)), end(header.destination_addr(), port(2))))
}

/// Whether the header checksum and the transport checksum are right; of what cannot be told, nothing.
fn checksums(bytes: &[u8]) -> Option<(bool, Option<bool>)> {
    let ip = ip_of(bytes)?;
    let header = ip.header().to_header();
    let payload = ip.payload().payload;
    let transport = match header.protocol.0 {
        // Of a fragment's checksum, the rest is elsewhere.
        _ if ip.is_payload_fragmented() => None,
        6 => TcpSlice::from_slice(payload).ok().map(|tcp| {
            tcp.calc_checksum_ipv4(header.source, header.destination).ok() == Some(tcp.checksum())
        }),
        17 => UdpSlice::from_slice(payload).ok().filter(|udp| udp.checksum() != 0).map(|udp| {
            let (udp_header, data) = (udp.to_header(), udp.payload());
            udp_header.calc_checksum_ipv4(&header, data).ok() == Some(udp.checksum())
        }),
        _ => None,
    };
    Some((header.calc_header_checksum() == header.header_checksum, transport))
}

fn is_forwarded(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Transmit | Verdict::Redirect(_))
}

fn check(director: &mut Director, bytes: &[u8]) -> Result<(), TestCaseError> {
    let outcome = director.receives_bytes(bytes);
    if !is_forwarded(&outcome) {
        return Ok(());
    }
    prop_assert!(is_ours(bytes), "{outcome}");
    prop_assert_eq!(outcome.after.len(), bytes.len());
    let (before, after) = (checksums(&outcome.before), checksums(&outcome.after));
    prop_assert_eq!(
        before,
        after,
        "header and transport checksum right, before and after: {}",
        outcome
    );
    Ok(())
}

fn director(method: Method, is_generic: bool) -> Director {
    // Of few places, so that connections meet.
    let mut director = director_of(method, 3);
    director.tables.maps.is_generic = is_generic;
    director
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_frames_over_direct_routing(frames in vec((wild(), 0..20_u32), 1..60)) {
        let mut director = director(Method::DIRECT_ROUTE, false);
        for (frame, seconds) in frames {
            check(&mut director, &frame.bytes())?;
            director.waits(seconds);
        }
    }

    #[test]
    fn any_frames_over_nat(frames in vec((wild(), 0..20_u32), 1..60)) {
        let mut director = director(Method::MASQ, false);
        for (frame, seconds) in frames {
            check(&mut director, &frame.bytes())?;
            director.waits(seconds);
        }
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        for method in [Method::DIRECT_ROUTE, Method::MASQ] {
            let outcome = director(method, true).receives_bytes(&bytes);
            prop_assert!(!is_forwarded(&outcome) || is_ours(&bytes), "{outcome}");
        }
    }
}
