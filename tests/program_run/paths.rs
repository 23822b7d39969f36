//! What a router behind the director says of a tunnel's path, through the loaded program: the next client hears it
//! from the director, until it is forgotten.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use etherparse::{
    Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpNumber, Ipv4Header, Ipv6Header,
};
use lvs_tests::rig::{Fate, Place, Rig, Side, packet::Packet};

const ETHERNET: usize = 14;
const LINK: usize = 1500;
const PATH: usize = 1400;

struct Ends {
    client: &'static str,
    vip: &'static str,
    server: &'static str,
    router: &'static str,
    dip: &'static str,
    /// Bytes of an IP header.
    header: usize,
}

const V4: Ends = Ends {
    client: "10.0.0.1:5000",
    vip: "192.168.4.5:53",
    server: "192.168.2.11:53",
    router: "192.168.2.254",
    dip: "192.168.2.1",
    header: 20,
};
const V6: Ends = Ends {
    client: "[2001:db8:c::1]:5000",
    vip: "[2001:db8:4::5]:53",
    server: "[fd00:2::11]:53",
    router: "fd00:2::254",
    dip: "fd00:2::1",
    header: 40,
};

#[test]
fn a_narrow_path_is_remembered_and_forgotten() {
    let place = Place::enter().unwrap();
    let mut rig = Rig::new(&place).unwrap();
    rig.set_mtu(u32::try_from(LINK).unwrap());
    for ends in [V4, V6] {
        let at = |end: &str| end.parse::<SocketAddr>().unwrap();
        rig.must(&format!("ipvsadm -A -u {} -s rr", ends.vip)).unwrap();
        rig.must(&format!("ipvsadm -a -u {} -r {} -i", ends.vip, ends.server)).unwrap();
        // A datagram whose outer packet is of this length.
        let request = |outer: usize| {
            let data = vec![7; outer - 2 * ends.header - 8];
            Packet::udp(at(ends.client), at(ends.vip), &data)
        };
        let through = |rig: &Rig<'_>, outer: usize| {
            let fate = rig.send(Side::Clients, &request(outer)).unwrap();
            let Fate::Sent(frame) = fate else { panic!("{fate:?}") };
            (frame.len() - ETHERNET == outer).then_some(frame)
        };
        let sent = through(&rig, LINK).expect("it fits the link");
        let quoted = &sent[ETHERNET..][..500];
        let told = rig.send_bytes(Side::Servers, &too_long(&rig, &ends, quoted)).unwrap();
        assert_eq!(mtu_of(&told, ends.header), PATH - ends.header);
        let fate = rig.send(Side::Clients, &request(LINK)).unwrap();
        assert_eq!(mtu_of(&fate, ends.header), PATH - ends.header);
        assert!(through(&rig, PATH).is_some() && through(&rig, PATH + 1).is_none());
        rig.pass(Duration::from_secs(601));
        assert!(through(&rig, LINK).is_some(), "a router is believed for ten minutes");
        rig.reset().unwrap();
    }
}

/// What a router says of a packet of the director's.
fn too_long(rig: &Rig<'_>, ends: &Ends, quoted: &[u8]) -> Vec<u8> {
    let (from, to): (IpAddr, IpAddr) = (ends.router.parse().unwrap(), ends.dip.parse().unwrap());
    let mut frame = [&rig.mac(Side::Servers)[..], &[2, 0, 0, 0, 0, 0x77]].concat();
    let bytes5to8 = u32::try_from(PATH).unwrap().to_be_bytes();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let kind = Icmpv4Type::Unknown { type_u8: 3, code_u8: 4, bytes5to8 };
            let icmp = Icmpv4Header::with_checksum(kind, quoted);
            let mut ip =
                Ipv4Header::new(0, 64, IpNumber::ICMP, from.octets(), to.octets()).unwrap();
            ip.set_payload_len(8 + quoted.len()).unwrap();
            frame.extend([8, 0]);
            ip.write(&mut frame).unwrap();
            frame.extend(icmp.to_bytes());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let (source, destination) = (from.octets(), to.octets());
            let kind = Icmpv6Type::Unknown { type_u8: 2, code_u8: 0, bytes5to8 };
            let icmp = Icmpv6Header::with_checksum(kind, source, destination, quoted).unwrap();
            let payload_length = u16::try_from(8 + quoted.len()).unwrap();
            let next_header = IpNumber::IPV6_ICMP;
            let ip = Ipv6Header {
                payload_length,
                next_header,
                hop_limit: 64,
                source,
                destination,
                ..Ipv6Header::default()
            };
            frame.extend([0x86, 0xdd]);
            ip.write(&mut frame).unwrap();
            frame.extend(icmp.to_bytes());
        }
        _ => unreachable!("of one family"),
    }
    frame.extend(quoted);
    frame
}

/// The MTU that an error tells, whose IP header has no options.
fn mtu_of(fate: &Fate, header: usize) -> usize {
    let Fate::Sent(frame) = fate else { panic!("{fate:?}") };
    let icmp = &frame[ETHERNET + header..];
    assert_eq!(icmp[..2], if header == 20 { [3, 4] } else { [2, 0] });
    usize::try_from(u32::from_be_bytes(*icmp[4..].first_chunk().unwrap())).unwrap()
}
