//! The interfaces of the director's host, as far as frames leave by them.

use std::collections::BTreeMap;

/// Where in an interface the program stands. It has two faces, one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// In the driver, before the stack has seen the packet.
    Native,
    /// At the stack's entry: any interface, at the stack's pace.
    Generic,
}

impl Hook {
    /// The word for it in commands and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// A VLAN, as a tag tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanTag {
    /// 0x8100 (802.1Q) or 0x88a8 (802.1ad).
    pub ethertype: u16,
    /// The VLAN's number.
    pub vlan: u16,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its link-layer address, if it carries Ethernet frames.
    pub mac: Option<[u8; 6]>,
    /// Its MTU, bytes from the IP header on.
    pub mtu: u32,
    /// The kind of a virtual one, as `ip -d link` names it.
    pub kind: Option<String>,
    /// Of a VLAN's: the number of the interface below, and the tag that makes the difference.
    pub under: Option<(u32, VlanTag)>,
    /// Number of the bridge or bond that it is a port of.
    pub master: Option<u32>,
}

/// An interface that carries the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// Where in it the program stands.
    pub hook: Hook,
    /// Whether a frame that came in by it may leave it in the driver (`XDP_TX`).
    pub reflects: bool,
}

/// Interfaces, and which of them carry the program; by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// All of the host's.
    pub interfaces: BTreeMap<u32, Interface>,
    /// Those that carry the program.
    pub carriers: BTreeMap<u32, Carrier>,
}

/// What frames for an interface really leave by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Number of the interface.
    pub interface: u32,
    /// Tags that they leave with, the outermost first.
    pub tags: Vec<VlanTag>,
}

impl Leaving {
    /// The largest IP packet that fits an interface of this MTU: it takes one tag beside its MTU, no more.
    #[must_use]
    pub fn room(&self, mtu: u32) -> u32 {
        const TAG: u32 = 4;
        self.tags.iter().skip(1).fold(mtu, |mtu, _| mtu.saturating_sub(TAG))
    }
}

/// Why frames cannot leave by an interface, for an operator to read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLeaving {
    /// More tags than a frame has room for here.
    #[error("{0} has more than two VLAN tags")]
    TooDeep(String),
    /// The driver's hook cannot send by it.
    #[error(
        "{name} is a {kind}, which takes no frames from native XDP: use --mode generic, or give the \
         route to an interface with a driver"
    )]
    TakesNone {
        /// The interface.
        name: String,
        /// Its kind.
        kind: String,
    },
}

impl Network {
    /// Tags that the program puts on at most.
    const DEEPEST: usize = 2;
    /// Kinds of interfaces without `ndo_xdp_xmit`.
    const TAKE_NONE: [&str; 8] =
        ["bridge", "dummy", "ifb", "ipvlan", "macvlan", "team", "vlan", "vxlan"];

    /// What frames for an interface leave by: itself, unless the program stands in a driver somewhere.
    /// Frames from there do not pass a VLAN's interface, so they get its tag and go to the one below.
    ///
    /// # Errors
    /// They cannot.
    pub fn leaving(&self, interface: u32) -> Result<Leaving, NoLeaving> {
        let mut leaving = Leaving { interface, tags: Vec::new() };
        if !self.is_native() {
            return Ok(leaving);
        }
        while let Some((below, tag)) = self.under(leaving.interface) {
            if leaving.tags.len() == Self::DEEPEST {
                return Err(NoLeaving::TooDeep(self.name(interface)));
            }
            leaving.tags.insert(0, tag);
            leaving.interface = below;
        }
        let kind = self.interfaces.get(&leaving.interface).and_then(|it| it.kind.as_deref());
        match kind.filter(|kind| Self::TAKE_NONE.contains(kind)) {
            Some(kind) => Err(NoLeaving::TakesNone {
                name: self.name(leaving.interface),
                kind: kind.to_owned(),
            }),
            None => Ok(leaving),
        }
    }

    /// Whether frames that came in by an interface may leave it in the driver.
    #[must_use]
    pub fn reflects(&self, interface: u32) -> bool {
        self.carriers.get(&interface).is_some_and(|carrier| carrier.reflects)
    }

    /// The name of an interface.
    #[must_use]
    pub fn name(&self, interface: u32) -> String {
        self.interfaces
            .get(&interface)
            .map_or_else(|| format!("interface {interface}"), |it| it.name.clone())
    }

    /// Interfaces of VLANs, with what frames for them leave by.
    pub fn below(&self) -> impl Iterator<Item = (u32, Leaving)> {
        self.interfaces.keys().filter_map(|&index| {
            let leaving = self.leaving(index).ok()?;
            (leaving.interface != index).then_some((index, leaving))
        })
    }

    /// Whether the program stands in some driver.
    fn is_native(&self) -> bool {
        self.carriers.values().any(|carrier| carrier.hook == Hook::Native)
    }

    fn under(&self, interface: u32) -> Option<(u32, VlanTag)> {
        self.interfaces.get(&interface)?.under
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTER: VlanTag = VlanTag { ethertype: 0x88a8, vlan: 100 };
    const INNER: VlanTag = VlanTag { ethertype: 0x8100, vlan: 200 };

    /// `eth0`, `eth0.100` on it, `eth0.100.200` on that, one deeper, and a bridge.
    fn network(hook: Hook) -> Network {
        let interface = |name: &str, kind: Option<&str>, under| Interface {
            name: name.to_owned(),
            mac: Some([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            kind: kind.map(str::to_owned),
            under,
            master: None,
        };
        Network {
            interfaces: [
                (1, interface("eth0", None, None)),
                (2, interface("eth0.100", Some("vlan"), Some((1, OUTER)))),
                (3, interface("eth0.100.200", Some("vlan"), Some((2, INNER)))),
                (4, interface("deep", Some("vlan"), Some((3, INNER)))),
                (5, interface("br0", Some("bridge"), None)),
                (6, interface("br0.7", Some("vlan"), Some((5, INNER)))),
            ]
            .into(),
            carriers: [(1, Carrier { hook, reflects: true })].into(),
        }
    }

    #[test]
    fn from_a_driver_frames_leave_by_the_lowest_interface_with_the_outermost_tag_first() {
        let network = network(Hook::Native);
        let leaving = |interface, tags: &[_]| Ok(Leaving { interface, tags: tags.to_vec() });
        assert_eq!(network.leaving(1), leaving(1, &[]));
        assert_eq!(network.leaving(2), leaving(1, &[OUTER]));
        assert_eq!(network.leaving(3), leaving(1, &[OUTER, INNER]));
        assert_eq!(network.leaving(9), leaving(9, &[]));
        let rooms = [1, 2, 3].map(|it| network.leaving(it).unwrap().room(1500));
        assert_eq!(rooms, [1500, 1500, 1496]);
        let below: Vec<_> = network.below().map(|(index, _)| index).collect();
        assert_eq!(below, [2, 3]);
    }

    #[test]
    fn from_the_generic_hook_they_leave_by_the_interface_itself() {
        let network = network(Hook::Generic);
        for interface in 1..=6 {
            let itself = Leaving { interface, tags: Vec::new() };
            assert_eq!(network.leaving(interface), Ok(itself));
        }
        assert_eq!(network.below().count(), 0);
    }

    #[test]
    fn what_takes_no_frames_is_named() {
        let network = network(Hook::Native);
        assert_eq!(network.leaving(4), Err(NoLeaving::TooDeep("deep".to_owned())));
        for interface in [5, 6] {
            let why = network.leaving(interface).unwrap_err().to_string();
            assert!(why.starts_with("br0 is a bridge, which takes no frames"), "{why}");
        }
    }
}
