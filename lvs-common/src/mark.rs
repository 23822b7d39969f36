//! Which firewall mark a packet carries.
//!
//! XDP comes before netfilter, so the director marks packets itself: the first of its rules that
//! matches decides. The controller lays the rules in order of precedence, the most specific first.

#![forbid(unsafe_code)]

use core::ops::ControlFlow;

use crate::{
    map::{Family, MarkRule},
    net::Addr,
};

/// No rule matches: the packet carries no mark.
pub const NONE: u32 = 0;

/// What rules look at: where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Destination, as two words as they lie.
    words: [u64; 2],
    family: Family,
    protocol: u8,
    port: u16,
}

impl Subject {
    /// A packet to `destination`; `port` in host order, 0 for a protocol without ports.
    #[inline(always)]
    #[must_use]
    pub fn new(destination: Addr, family: Family, protocol: u8, port: u16) -> Self {
        Self { words: bytemuck::cast(destination), family, protocol, port }
    }
}

impl MarkRule {
    /// Whether the rule is about such a packet.
    // One comparison at the end: each branch on the way would double what the verifier walks.
    #[inline(always)]
    #[must_use]
    pub fn matches(&self, subject: &Subject) -> bool {
        let [high, low]: [u64; 2] = bytemuck::cast(self.prefix);
        let length = u32::from(self.length);
        let of_high = if length < 64 { length } else { 64 };
        let other_protocol = u64::from(self.protocol != subject.protocol);
        let differs = (u64::from_be(high ^ subject.words[0]) & leading(of_high))
            | (u64::from_be(low ^ subject.words[1]) & leading(length.wrapping_sub(of_high)))
            | u64::from(self.family != subject.family)
            | (u64::from(self.protocol != 0) & other_protocol)
            | u64::from(subject.port.wrapping_sub(self.first) > self.last.wrapping_sub(self.first));
        differs == 0
    }
}

/// The `count` leading bits of a word, 0 to 64.
#[inline(always)]
const fn leading(count: u32) -> u64 {
    // A shift by 64 is not one; two halves are.
    let half = count >> 1;
    !(u64::MAX.wrapping_shr(half).wrapping_shr(count.wrapping_sub(half)))
}

/// Looks at rules one after another, in order of precedence: a fold, so that the driver (host: a
/// loop; kernel: `bpf_loop`) is not its business.
#[derive(Clone, Copy, Debug)]
pub struct Classify {
    subject: Subject,
    mark: u32,
}

impl Classify {
    /// No rule looked at yet.
    #[inline(always)]
    #[must_use]
    pub const fn new(subject: Subject) -> Self {
        Self { subject, mark: NONE }
    }

    /// Looks at the next rule; done with a `Break`.
    #[inline(always)]
    pub fn visit(&mut self, rule: &MarkRule) -> ControlFlow<()> {
        if rule.matches(&self.subject) {
            self.mark = rule.mark;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// The mark, or [`NONE`].
    #[inline(always)]
    #[must_use]
    pub const fn mark(&self) -> u32 {
        self.mark
    }
}

/// The mark that rules in order of precedence give, or [`NONE`].
#[inline(always)]
#[must_use]
pub fn classify<'r>(rules: impl IntoIterator<Item = &'r MarkRule>, subject: Subject) -> u32 {
    let mut fold = Classify::new(subject);
    for rule in rules {
        if fold.visit(rule).is_break() {
            break;
        }
    }
    fold.mark()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::map::{marks_that_hold, marks_word};

    /// A rule and a packet in plain words.
    #[derive(Debug, Clone)]
    struct Plain {
        address: IpAddr,
        length: u8,
        protocol: u8,
        ports: (u16, u16),
        mark: u32,
    }

    /// `0101…`, as many digits as the family has.
    fn digits(address: IpAddr) -> String {
        match address {
            IpAddr::V4(v4) => format!("{:032b}", v4.to_bits()),
            IpAddr::V6(v6) => format!("{:0128b}", v6.to_bits()),
        }
    }

    /// The rule, read aloud.
    fn applies(rule: &Plain, destination: IpAddr, protocol: u8, port: u16) -> bool {
        rule.address.is_ipv4() == destination.is_ipv4()
            && digits(destination).starts_with(&digits(rule.address)[..usize::from(rule.length)])
            && [0, protocol].contains(&rule.protocol)
            && (rule.ports.0..=rule.ports.1).contains(&port)
    }

    fn family(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    fn compiled(rule: &Plain) -> MarkRule {
        MarkRule {
            prefix: rule.address.into(),
            mark: rule.mark,
            first: rule.ports.0,
            last: rule.ports.1,
            length: rule.length + if rule.address.is_ipv4() { 96 } else { 0 },
            family: family(rule.address),
            protocol: rule.protocol,
            pad: [0; 5],
        }
    }

    /// Few enough bits that rules often match: the leading, the middle and the last ones vary.
    fn address() -> impl Strategy<Value = IpAddr> {
        let v4 = (0..4u8, 0..2u8, 0..4u8).prop_map(|(a, b, c)| IpAddr::from([a << 6, b, 0, c]));
        let v6 = (0..4u16, 0..2u16, 0..2u16, 0..4u16)
            .prop_map(|(a, b, c, d)| IpAddr::from([a << 14, 0, 0, b, c << 15, 0, 0, d]));
        prop_oneof![v4, v6]
    }

    fn port() -> impl Strategy<Value = u16> {
        prop_oneof![0..4u16, 65_532..=65_535u16, any::<u16>()]
    }

    fn rule() -> impl Strategy<Value = Plain> {
        let protocol = prop::sample::select(vec![0, 6, 17, 132]);
        let ports = prop_oneof![Just((0, 65_535)), (port(), port()), port().prop_map(|p| (p, p))];
        (address(), 0..=128u8, protocol, ports, 1..=u32::MAX).prop_map(
            |(address, length, protocol, (a, b), mark)| {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                let ports = (a.min(b), a.max(b));
                Plain { address, length: length.min(bits), protocol, ports, mark }
            },
        )
    }

    proptest! {
        #[test]
        fn the_first_rule_that_applies_gives_the_mark(
            rules in prop::collection::vec(rule(), 0..8),
            destination in address(),
            protocol in prop::sample::select(vec![1u8, 6, 17, 132]),
            port in port(),
        ) {
            let wanted = rules.iter().find(|rule| applies(rule, destination, protocol, port));
            let compiled: Vec<MarkRule> = rules.iter().map(compiled).collect();
            let subject = Subject::new(destination.into(), family(destination), protocol, port);
            prop_assert_eq!(classify(&compiled, subject), wanted.map_or(NONE, |rule| rule.mark));
        }

        #[test]
        fn places_and_their_word_are_the_same(first: u16, count: u16) {
            let places = (u32::from(first), u32::from(count));
            prop_assert_eq!(marks_that_hold(marks_word(first, count)), places);
        }
    }

    #[test]
    fn every_number_of_leading_bits_can_be_had() {
        for count in 0..=64 {
            assert_eq!(leading(count).leading_ones(), count);
            assert_eq!(leading(count).trailing_zeros(), 64 - count);
        }
    }

    #[test]
    fn a_mapped_ipv6_destination_is_no_ipv4_one() {
        let any_v4 = Plain {
            address: [0, 0, 0, 0].into(),
            length: 0,
            protocol: 0,
            ports: (0, 65_535),
            mark: 7,
        };
        let destination = Addr::from(IpAddr::from([192, 0, 2, 1]));
        let of = |family| classify(&[compiled(&any_v4)], Subject::new(destination, family, 6, 80));
        assert_eq!((of(Family::V4), of(Family::V6)), (7, NONE));
    }
}
