//! Rules that mark packets, as the program looks through them.

use lvs_common::{
    map::{self, Family, MAX_MARK_RULES},
    net::Addr,
};

use super::{Op, PlanError, Planner, planner::capacity};
use crate::model::{self, MarkRule, Precedence, Protocol, ServiceId};

/// The program's rules, in order of precedence: the first that matches a packet is the most specific
/// one that does. The order of `rules` is nothing to it.
#[must_use]
pub fn compile(rules: &[MarkRule]) -> Vec<map::MarkRule> {
    let mut compiled: Vec<(Precedence, map::MarkRule)> = rules.iter().flat_map(ranges).collect();
    // Beyond precedence the order is of no effect; it is there to be the same each time.
    let order = |(precedence, rule): &(Precedence, map::MarkRule)| {
        let map::MarkRule { prefix, mark, first, length, family, protocol, .. } = *rule;
        (*precedence, family, prefix, length, first, protocol, mark)
    };
    compiled.sort_unstable_by_key(order);
    compiled.dedup();
    compiled.into_iter().map(|(_, rule)| rule).collect()
}

fn ranges(rule: &MarkRule) -> impl Iterator<Item = (Precedence, map::MarkRule)> {
    let destination = rule.destination;
    let (family, length) = match destination.family() {
        model::Family::Ipv4 => (Family::V4, destination.length() + 96),
        model::Family::Ipv6 => (Family::V6, destination.length()),
    };
    rule.ranges().map(move |(precedence, ports)| {
        let rule = map::MarkRule {
            prefix: Addr::from(destination.address()),
            mark: rule.mark,
            first: *ports.start(),
            last: *ports.end(),
            length,
            family,
            protocol: rule.protocol.map_or(0, Protocol::number),
            pad: [0; 5],
        };
        (precedence, rule)
    })
}

impl Planner {
    /// The program's list of these rules, and the writes that make it look at their packets.
    ///
    /// # Errors
    /// There are too many; the planner is as it was.
    pub fn mark(&mut self, rules: &[MarkRule]) -> Result<(Vec<map::MarkRule>, Vec<Op>), PlanError> {
        let compiled = compile(rules);
        if compiled.len() > MAX_MARK_RULES {
            let capacity = capacity(MAX_MARK_RULES);
            return Err(PlanError::NoRoom { what: "mark rule", capacity });
        }
        self.marks = rules.to_vec();
        let keys =
            |rule: &&MarkRule| self.services.contains_key(&super::compile::key(&service_of(rule)));
        let served = self.marks.iter().filter(keys);
        let ops = served.map(|rule| Op::Vips(rule.destination)).collect();
        Ok((compiled, ops))
    }

    /// Where the packets of a service go: to its address, or wherever rules give them its mark.
    pub(super) fn looked_at(&self, id: ServiceId) -> Vec<Op> {
        match id {
            ServiceId::Address { address, .. } => vec![Op::Vips(address.into())],
            ServiceId::Mark { .. } => {
                let of_service = self.marks.iter().filter(|rule| service_of(rule) == id);
                of_service.map(|rule| Op::Vips(rule.destination)).collect()
            }
        }
    }
}

/// The service that packets which a rule marks are for.
fn service_of(rule: &MarkRule) -> ServiceId {
    ServiceId::Mark { mark: rule.mark, family: rule.destination.family() }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use lvs_common::mark::{NONE, Subject, classify};
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Marks, Ports, Prefix};

    const PROTOCOLS: [Option<Protocol>; 4] =
        [None, Some(Protocol::Tcp), Some(Protocol::Udp), Some(Protocol::Sctp)];

    /// A packet: destination, protocol number, port.
    type Packet = (IpAddr, u8, u16);

    /// Few addresses and ports, so that many rules match one packet.
    fn address() -> impl Strategy<Value = IpAddr> {
        let v4 = (0..4u8).prop_map(|last| IpAddr::from([192, 0, 2, last << 6]));
        let v6 =
            (0..4u16).prop_map(|last| IpAddr::from([0x2001, 0xdb8, 0, last << 14, 0, 0, 0, 0]));
        prop_oneof![3 => v4, 1 => v6]
    }

    fn prefix() -> impl Strategy<Value = Prefix> {
        (address(), 0..4u8).prop_map(|(address, kind)| {
            let lengths = if address.is_ipv4() { [0, 24, 26, 32] } else { [0, 48, 50, 128] };
            let length = lengths[usize::from(kind)];
            let network = match address {
                IpAddr::V4(v4) if length <= 24 => [v4.octets()[0], 0, 2, 0].into(),
                IpAddr::V6(_) if length <= 48 => "2001:db8::".parse().unwrap(),
                _ => address,
            };
            let any = if address.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
            if length == 0 { any.parse() } else { format!("{network}/{length}").parse() }.unwrap()
        })
    }

    fn ports() -> impl Strategy<Value = Ports> {
        let lists = ["80", "443", "80,443", "80-89", "85-94", "80-443", "1-65535", "1-79,81-442"];
        let list = prop::sample::select(lists.to_vec()).prop_map(|list| list.parse().unwrap());
        prop_oneof![1 => Just(Ports::default()), 4 => list]
    }

    fn rule() -> impl Strategy<Value = MarkRule> {
        (prop::sample::select(PROTOCOLS.to_vec()), prefix(), ports(), 1..4u32).prop_map(
            |(protocol, destination, ports, mark)| MarkRule { protocol, destination, ports, mark },
        )
    }

    fn packet() -> impl Strategy<Value = Packet> {
        let port = prop::sample::select(vec![1u16, 79, 80, 85, 90, 443, 65_535]);
        let with_ports = (prop::sample::select(vec![6u8, 17, 132]), port);
        (address(), prop_oneof![9 => with_ports, 1 => Just((1, 0))])
            .prop_map(|(address, (protocol, port))| (address, protocol, port))
    }

    /// Rules that were accepted, and the same in another order.
    fn two_orders() -> impl Strategy<Value = (Vec<MarkRule>, Vec<MarkRule>)> {
        prop::collection::vec(rule(), 0..24)
            .prop_map(|rules| accepted(&rules).1)
            .prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle()))
    }

    fn accepted(rules: &[MarkRule]) -> (Marks, Vec<MarkRule>) {
        let mut marks = Marks::default();
        let kept = rules.iter().filter(|rule| marks.add(rule).is_ok()).cloned().collect();
        (marks, kept)
    }

    /// Every rule looked at, the most specific match of all taken.
    fn reference(rules: &[MarkRule], (address, protocol, port): Packet) -> u32 {
        let mut best: Option<((u8, bool, i32, bool), u32)> = None;
        for rule in rules.iter().filter(|rule| rule.destination.contains(address)) {
            if rule.protocol.is_some_and(|named| named.number() != protocol) {
                continue;
            }
            let text = rule.ports.to_string();
            for range in text.split(',') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let (matches, width) = match (first.parse::<i32>(), last.parse::<i32>()) {
                    (Ok(first), Ok(last)) => ((first..=last).contains(&port.into()), last - first),
                    _ => (true, 0),
                };
                let has_ports = !text.is_empty();
                let specific =
                    (rule.destination.length(), has_ports, -width, rule.protocol.is_some());
                if matches && best.is_none_or(|(other, _)| specific > other) {
                    best = Some((specific, rule.mark));
                }
            }
        }
        best.map_or(NONE, |(_, mark)| mark)
    }

    fn classified(rules: &[map::MarkRule], (address, protocol, port): Packet) -> u32 {
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        classify(rules, Subject::new(address.into(), family, protocol, port))
    }

    proptest! {
        #[test]
        fn any_order_of_addition_marks_the_same(
            (rules, shuffled) in two_orders(),
            packets in prop::collection::vec(packet(), 1..16),
        ) {
            let (marks, _) = accepted(&rules);
            let (same, kept) = accepted(&shuffled);
            prop_assert_eq!(kept.len(), rules.len(), "a rule is refused in another order");
            prop_assert_eq!(&marks, &same);
            let compiled = compile(&shuffled);
            prop_assert_eq!(&compiled, &compile(marks.rules()));
            for packet in packets {
                let mark = classified(&compiled, packet);
                prop_assert_eq!(mark, reference(&rules, packet), "{:?}", packet);
            }
        }
    }

    #[test]
    fn too_many_rules_leave_the_planner_as_it_was() {
        let rule = |mark| MarkRule {
            protocol: None,
            destination: Prefix::from(IpAddr::from([192, 0, 2, 1])),
            ports: format!("{mark}").parse().unwrap(),
            mark,
        };
        let rules: Vec<_> = (1..=1025).map(rule).collect();
        let mut planner = Planner::default();
        planner.mark(&rules[..3]).unwrap();
        let error = planner.mark(&rules).unwrap_err();
        assert_eq!(error, PlanError::NoRoom { what: "mark rule", capacity: 1024 });
        assert_eq!(planner.marks.len(), 3);
        assert_eq!(planner.mark(&rules[..1024]).unwrap().0.len(), 1024);
    }
}
