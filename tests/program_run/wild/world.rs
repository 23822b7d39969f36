//! The rules that wild frames meet: a service for every method, protocol and family; and who is who.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lvs_tests::rig::{Rig, packet::Mac};

use super::random::Random;

/// How each method is asked for, and the bytes that it puts behind the outer IP header; none: no outer header.
const METHODS: [(&str, Option<usize>); 8] = [
    ("-g", None),
    ("-m", None),
    ("-i", Some(0)),
    ("-i --tun-type gue --tun-port 5555", Some(12)),
    ("-i --tun-type gre", Some(4)),
    ("-i --tun-type gue --tun-port 5555 --tun-csum", Some(12)),
    ("-i --tun-type gre --tun-csum", Some(8)),
    // To an address of the other family.
    ("-i", Some(0)),
];
/// The method of NAT, whose packets change within.
const NAT: usize = 1;
const OTHER_FAMILY: usize = 7;

const SCHEDULERS: [&str; METHODS.len()] = ["rr", "wlc", "sh", "mh", "lblcr", "sed", "wrr", "dh"];

const FIRST_PORT: u16 = 80;
/// Of a service without a real server, one with persistence, and one of single packets.
const NOBODYS: u16 = 88;
const PERSISTENT: u16 = 89;
const ONE_PACKET: u16 = 90;
/// Of real servers behind NAT.
const BEHIND: u16 = 8080;

const FIRST_SERVER: u8 = 11;

/// Addresses of either family.
pub(super) struct Family {
    is_v4: bool,
}

pub(super) const V4: Family = Family { is_v4: true };
pub(super) const V6: Family = Family { is_v4: false };

impl Family {
    pub(super) fn vip(&self) -> IpAddr {
        self.pick(Ipv4Addr::new(192, 168, 4, 5), "2001:db8:4::5")
    }

    pub(super) fn dip(&self) -> IpAddr {
        self.pick(Ipv4Addr::new(192, 168, 2, 1), "fd00:2::1")
    }

    /// Whoever sends undisturbed while the others are wild.
    pub(super) fn quiet(&self) -> SocketAddr {
        SocketAddr::new(self.pick(Ipv4Addr::new(10, 99, 99, 99), "2001:db8:c::9999"), 50_000)
    }

    pub(super) fn client(&self, random: &mut Random) -> SocketAddr {
        let number = u8::try_from(1 + random.below(12)).expect("a few");
        let address =
            self.pick(Ipv4Addr::new(10, 0, 0, number), &format!("2001:db8:c::{number:x}"));
        SocketAddr::new(address, 5000 + u16::from(random.byte() % 8))
    }

    fn server(&self, method: usize) -> IpAddr {
        let last = FIRST_SERVER + u8::try_from(method).expect("a few");
        self.pick(Ipv4Addr::new(192, 168, 2, last), &format!("fd00:2::{last:x}"))
    }

    /// A real server's address for the services of this family.
    pub(super) fn server_of(&self, method: usize) -> IpAddr {
        let family =
            if method == OTHER_FAMILY { Self { is_v4: !self.is_v4 } } else { Self { ..*self } };
        family.server(method)
    }

    fn pick(&self, v4: Ipv4Addr, v6: &str) -> IpAddr {
        if self.is_v4 { v4.into() } else { v6.parse::<Ipv6Addr>().expect("an address").into() }
    }
}

/// What a method does to the length of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Nothing, and nothing but their age changes.
    Direct,
    /// Nothing, but addresses and ports change.
    Nat,
    /// So many bytes stand before them, of this family.
    Tunnel { is_v4: bool, bytes: usize },
}

/// The method of the real server that a link-layer address is of.
pub(super) fn method_of(mac: Mac) -> Option<Method> {
    let [2, family, .., last] = mac else { return None };
    let is_v4 = match family {
        4 => true,
        6 => false,
        _ => return None,
    };
    let number = usize::from(last.checked_sub(FIRST_SERVER)?);
    let (_, bytes) = METHODS.get(number)?;
    Some(match bytes {
        Some(bytes) => Method::Tunnel { is_v4, bytes: bytes + if is_v4 { 20 } else { 40 } },
        None if number == NAT => Method::Nat,
        None => Method::Direct,
    })
}

/// Where a client may send to.
pub(super) fn virtual_port(random: &mut Random) -> u16 {
    if random.once_in(20) { random.half() } else { FIRST_PORT + u16::from(random.byte() % 12) }
}

/// Whoever answers: mostly one behind NAT.
pub(super) fn answerer(family: &Family, random: &mut Random) -> SocketAddr {
    if random.once_in(6) {
        let method = random.below(OTHER_FAMILY);
        return SocketAddr::new(family.server_of(method), virtual_port(random));
    }
    SocketAddr::new(family.server_of(NAT), BEHIND)
}

/// Makes the rules.
pub(super) fn set_up(rig: &mut Rig<'_>) {
    rig.set_mtu(1500);
    for family in [V4, V6] {
        for flag in ["-t", "-u", "--sctp-service"] {
            let vip = |port| SocketAddr::new(family.vip(), port);
            let mut must = |line: String| rig.must(&line).expect("a rule");
            let mut add = |port, number: usize, options: &str| {
                let (method, _) = METHODS[number];
                let to = if number == NAT { BEHIND } else { port };
                let rip = SocketAddr::new(family.server_of(number), to);
                let scheduler = SCHEDULERS[number];
                must(format!("ipvsadm -A {flag} {} -s {scheduler}{options}", vip(port)));
                must(format!("ipvsadm -a {flag} {} -r {rip} {method}", vip(port)));
            };
            for (port, number) in (FIRST_PORT..).zip(0..METHODS.len()) {
                add(port, number, "");
            }
            add(PERSISTENT, 0, " -p 60");
            if flag == "-u" {
                add(ONE_PACKET, NAT, " -o");
            }
            must(format!("ipvsadm -A {flag} {} -s rr", vip(NOBODYS)));
        }
    }
}
