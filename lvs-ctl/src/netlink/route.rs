//! The kernel's routing decision for one address: `RTM_GETROUTE`, as `ip route get` asks.

use std::{io, net::IpAddr};

use super::{
    Barrier, Why,
    message::{Message, family, octets, read_address},
    socket::Requests,
};

const RTM_GETROUTE: u16 = 26;
/// `struct rtmsg`.
const FIXED: usize = 12;
const FAMILY: usize = 0;
const DST_LEN: usize = 1;
const TYPE: usize = 7;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
/// A gateway of another family: the family in two bytes, then the address.
const RTA_VIA: u16 = 18;
const RTAX_MTU: u16 = 2;

const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
const RTN_BLACKHOLE: u8 = 6;
const RTN_UNREACHABLE: u8 = 7;
const RTN_PROHIBIT: u8 = 8;

/// Where the kernel would send a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To itself.
    Local,
    /// Out of an interface.
    Out(Out),
    /// Nowhere.
    None(Why),
}

/// The interface, and what the route says about the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Out {
    pub(super) interface: u32,
    pub(super) gateway: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
    /// The route's own MTU, in bytes.
    pub(super) mtu: Option<u32>,
}

/// A route's destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.bits);
        match (self.address, address) {
            (IpAddr::V4(prefix), IpAddr::V4(address)) => {
                let differ = prefix.to_bits() ^ address.to_bits();
                differ.checked_shr(32_u32.saturating_sub(bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(prefix), IpAddr::V6(address)) => {
                let differ = prefix.to_bits() ^ address.to_bits();
                differ.checked_shr(128_u32.saturating_sub(bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Asks the kernel for its way to `address`.
pub(super) async fn get(requests: &mut Requests, address: IpAddr) -> Route {
    let mut fixed = [0; FIXED];
    fixed[FAMILY] = family(address);
    let bytes = octets(address);
    fixed[DST_LEN] = if address.is_ipv4() { 32 } else { 128 };
    let question = Message::new(RTM_GETROUTE, 0, &fixed).with(RTA_DST, &bytes);
    match requests.ask(question).await {
        Ok(answers) => answers.first().map_or(Route::None(Why::NoRoute), read),
        Err(error) => Route::None(refusal(&error)),
    }
}

/// The destination of the route that a notification is about.
pub(super) fn prefix_of(message: &Message) -> Option<Prefix> {
    let everywhere = match message.byte(FAMILY) {
        2 => IpAddr::from([0; 4]),
        10 => IpAddr::from([0; 16]),
        _ => return None,
    };
    let address = message.attributes(FIXED).address(RTA_DST).unwrap_or(everywhere);
    Some(Prefix { address, bits: message.byte(DST_LEN) })
}

/// What an answer means.
fn read(answer: &Message) -> Route {
    let attributes = answer.attributes(FIXED);
    let via = || read_address(attributes.get(RTA_VIA)?.get(2..)?);
    match answer.byte(TYPE) {
        RTN_UNICAST => attributes.u32(RTA_OIF).map_or(Route::None(Why::NoRoute), |interface| {
            Route::Out(Out {
                interface,
                gateway: attributes.address(RTA_GATEWAY).or_else(via),
                source: attributes.address(RTA_PREFSRC),
                mtu: attributes.inside(RTA_METRICS).u32(RTAX_MTU).filter(|&mtu| mtu > 0),
            })
        }),
        RTN_LOCAL => Route::Local,
        RTN_BLACKHOLE => Route::None(Why::Barred(Barrier::Blackhole)),
        RTN_UNREACHABLE => Route::None(Why::Barred(Barrier::Unreachable)),
        RTN_PROHIBIT => Route::None(Why::Barred(Barrier::Prohibit)),
        _ => Route::None(Why::NotUnicast),
    }
}

/// The kernel answers for most refusing routes with an error instead (`fib_props`,
/// `ip6_rt_type_to_error`).
fn refusal(error: &io::Error) -> Why {
    match error.raw_os_error() {
        Some(libc::ENETUNREACH) => Why::NoRoute,
        Some(libc::EINVAL) => Why::Barred(Barrier::Blackhole),
        Some(libc::EHOSTUNREACH) => Why::Barred(Barrier::Unreachable),
        Some(libc::EACCES) => Why::Barred(Barrier::Prohibit),
        _ => Why::Refused { asked: "the route", error: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: u8) -> Message {
        let mut fixed = [0; FIXED];
        fixed[FAMILY] = 2;
        fixed[TYPE] = kind;
        Message::new(24, 0, &fixed)
    }

    #[test]
    fn an_ipv4_route_may_have_an_ipv6_gateway() {
        let gateway: IpAddr = "fe80::1".parse().unwrap();
        let mut via = 10_u16.to_ne_bytes().to_vec();
        via.extend(octets(gateway));
        let answer = answer(RTN_UNICAST).with(RTA_OIF, &3_u32.to_ne_bytes()).with(RTA_VIA, &via);
        let out = Out { interface: 3, gateway: Some(gateway), source: None, mtu: None };
        assert_eq!(read(&answer), Route::Out(out));
    }

    #[test]
    fn the_route_types_are_told_apart() {
        assert_eq!(read(&answer(RTN_LOCAL)), Route::Local);
        assert_eq!(read(&answer(3)), Route::None(Why::NotUnicast));
        assert_eq!(read(&answer(RTN_BLACKHOLE)), Route::None(Why::Barred(Barrier::Blackhole)));
    }

    #[test]
    fn errors_name_the_refusing_route() {
        let why = |number| refusal(&io::Error::from_raw_os_error(number));
        assert_eq!(why(libc::ENETUNREACH), Why::NoRoute);
        assert_eq!(why(libc::EHOSTUNREACH), Why::Barred(Barrier::Unreachable));
        assert!(matches!(why(libc::EPERM), Why::Refused { .. }));
    }

    #[test]
    fn the_default_route_contains_its_family_only() {
        let default = Prefix { address: IpAddr::from([0; 4]), bits: 0 };
        assert!(default.contains("203.0.113.255".parse().unwrap()));
        assert!(!default.contains("2001:db8::".parse().unwrap()));
    }

    #[test]
    fn a_prefix_ends_at_its_last_bit() {
        let prefix = Prefix { address: "2001:db8::".parse().unwrap(), bits: 127 };
        assert!(prefix.contains("2001:db8::1".parse().unwrap()));
        assert!(!prefix.contains("2001:db8::2".parse().unwrap()));
        let host = Prefix { address: IpAddr::from([192, 0, 2, 1]), bits: 32 };
        assert!(host.contains(IpAddr::from([192, 0, 2, 1])));
        assert!(!host.contains(IpAddr::from([192, 0, 2, 0])));
    }
}
