//! A resolver under test, and what it has said.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use lvs_ctl::netlink::{NextHop, Resolution, Resolver, Rtnetlink, Why};
use tokio::time::{Instant, timeout_at};

/// The kernel probes a failed managed neighbour every five seconds.
const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) const NEW_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x77];
pub(crate) const SET_NEW_MAC: &str = "link set r0 address 02:00:00:00:00:77";

/// A resolver and what it has reported.
pub(crate) struct Seen {
    resolver: Rtnetlink,
    known: BTreeMap<IpAddr, Resolution>,
    /// How many reports came.
    pub(crate) reports: usize,
}

impl Seen {
    pub(crate) fn watching<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Self {
        Self::by(Rtnetlink::start().expect("a resolver"), addresses)
    }

    /// As `watching`, with a resolver of one's own.
    pub(crate) fn by<'a>(
        resolver: Rtnetlink,
        addresses: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut seen = Self { resolver, known: BTreeMap::new(), reports: 0 };
        seen.watch(addresses);
        seen
    }

    /// Forgets what was reported.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    pub(crate) fn watch<'a>(&mut self, addresses: impl IntoIterator<Item = &'a str>) {
        self.resolver.watch(addresses.into_iter().map(ip).collect::<BTreeSet<_>>());
    }

    /// Waits until `address` is resolved in a way that satisfies.
    pub(crate) async fn until(
        &mut self,
        address: &str,
        satisfies: impl Fn(&Resolution) -> bool,
    ) -> Resolution {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(known) = self.known.get(&ip(address)).filter(|it| satisfies(it)) {
                return known.clone();
            }
            let Ok(changed) = timeout_at(deadline, self.resolver.changed()).await else {
                panic!("{address} is still {:?}", self.known.get(&ip(address)));
            };
            for report in changed.expect("the resolver goes on") {
                self.known.insert(report.address, report.resolution);
                self.reports += 1;
            }
        }
    }

    pub(crate) async fn resolved(&mut self, address: &str) -> NextHop {
        let is_resolved = |it: &Resolution| matches!(it, Resolution::Resolved(_));
        match self.until(address, is_resolved).await {
            Resolution::Resolved(hop) => hop,
            other => unreachable!("{other:?}"),
        }
    }
}

pub(crate) fn has_mac(mac: [u8; 6]) -> impl Fn(&Resolution) -> bool {
    move |it| matches!(it, Resolution::Resolved(hop) if hop.dst_mac == mac)
}

pub(crate) fn leaves_by(interface: &str) -> impl Fn(&Resolution) -> bool {
    move |it| matches!(it, Resolution::Resolved(hop) if hop.interface_name == interface)
}

pub(crate) fn silent(neighbour: &str) -> impl Fn(&Resolution) -> bool {
    let why = Why::NoNeighbour { neighbour: ip(neighbour), interface: "d0".to_owned() };
    move |it| *it == Resolution::Unresolved(why.clone())
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// The MAC in what `ip link show` prints.
pub(crate) fn mac(shown: &str) -> [u8; 6] {
    let text = shown.split("link/ether ").nth(1).expect("an Ethernet link");
    let bytes: Vec<u8> = text[..17]
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).expect("a byte in hex"))
        .collect();
    bytes.try_into().expect("six bytes")
}
