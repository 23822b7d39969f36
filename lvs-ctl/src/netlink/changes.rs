//! Which of the watched addresses a kernel notification concerns.
//!
//! A busy router announces thousands of routes and neighbours a second; almost none of them is on
//! the way to a real server.

use std::{collections::BTreeSet, net::IpAddr};

use super::{message::Message, neighbour, route, socket::Heard};

/// The rtnetlink groups (`RTNLGRP_*`) that announce what a resolution depends on.
pub(super) const GROUPS: [u32; 9] = [
    1,  // LINK
    3,  // NEIGH
    5,  // IPV4_IFADDR
    7,  // IPV4_ROUTE
    8,  // IPV4_RULE
    9,  // IPV6_IFADDR
    11, // IPV6_ROUTE
    19, // IPV6_RULE
    32, // NEXTHOP
];

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;

/// More routes or neighbours than this at once are not told apart any more.
const MAX_APART: usize = 1024;

/// What changed since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    everything: bool,
    neighbours: BTreeSet<neighbour::Key>,
    prefixes: BTreeSet<route::Prefix>,
}

impl Changes {
    /// Anything may have changed.
    pub(super) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Takes note of a notification.
    pub(super) fn note(&mut self, heard: &Heard<'_>) {
        match heard {
            Heard::Overrun => self.everything = true,
            Heard::Message(message) => self.note_message(message),
        }
        if self.prefixes.len().max(self.neighbours.len()) > MAX_APART {
            *self = Self::everything();
        }
    }

    /// Whether the way to `address`, which led over the neighbour `hop`, may have changed.
    pub(super) fn concern(&self, address: IpAddr, hop: Option<neighbour::Key>) -> bool {
        self.everything
            || hop.is_some_and(|hop| self.neighbours.contains(&hop))
            || self.prefixes.iter().any(|prefix| prefix.contains(address))
    }

    fn note_message(&mut self, message: &Message) {
        match message.kind {
            RTM_NEWNEIGH | RTM_DELNEIGH => self.neighbours.extend(neighbour::key_of(message)),
            RTM_NEWROUTE | RTM_DELROUTE => self.prefixes.extend(route::prefix_of(message)),
            // Links, addresses, rules, next-hop objects: rare, and the kernel flushes the IPv4
            // routes of a downed link without a word about each.
            _ => self.everything = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn route_changed(prefix: [u8; 4], length: u8) -> Message {
        let fixed = [2, length, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0];
        Message::new(RTM_NEWROUTE, 0, &fixed).with(1, &prefix)
    }

    fn noted(messages: &[Message]) -> Changes {
        let mut changes = Changes::default();
        for message in messages {
            changes.note(&Heard::Message(message));
        }
        changes
    }

    #[test]
    fn a_route_concerns_the_addresses_under_its_prefix() {
        let changes = noted(&[route_changed([192, 0, 2, 0], 25)]);
        assert!(changes.concern(ip("192.0.2.127"), None));
        assert!(!changes.concern(ip("192.0.2.128"), None));
        assert!(!changes.concern(ip("2001:db8::1"), None));
    }

    #[test]
    fn a_neighbour_concerns_the_addresses_reached_by_it() {
        let gateway = neighbour::Key { interface: 7, address: ip("192.0.2.1") };
        let mut fixed = [0_u8; 12];
        fixed[0] = 2;
        fixed[4..8].copy_from_slice(&7_u32.to_ne_bytes());
        let changes = noted(&[Message::new(RTM_DELNEIGH, 0, &fixed).with(1, &[192, 0, 2, 1])]);
        assert!(changes.concern(ip("198.51.100.9"), Some(gateway)));
        let elsewhere = neighbour::Key { interface: 8, ..gateway };
        assert!(!changes.concern(ip("198.51.100.9"), Some(elsewhere)));
    }

    #[test]
    fn an_overrun_or_a_link_concerns_everyone() {
        let mut changes = Changes::default();
        assert!(!changes.concern(ip("192.0.2.1"), None));
        changes.note(&Heard::Overrun);
        assert!(changes.concern(ip("192.0.2.1"), None));
        assert!(noted(&[Message::new(16, 0, &[0; 16])]).concern(ip("2001:db8::1"), None));
    }

    #[test]
    fn a_flood_of_routes_concerns_everyone_in_bounded_memory() {
        let flood: Vec<Message> = (0..=u8::MAX)
            .flat_map(|high| (0..8).map(move |low| route_changed([10, high, low, 0], 24)))
            .collect();
        assert!(noted(&flood).everything);
    }
}
