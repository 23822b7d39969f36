//! Flows of health checks that go the way of a service's packets.
//!
//! Every real server of a service has a *stand-in*: an address of the director's own host, routed to
//! the device [`DEVICE`]. Whatever a program of the host sends there leaves for the real server as a
//! client's packet would, and what comes back seems to come from the stand-in.

use bytemuck::{Pod, Zeroable};

use crate::net::{Addr, Be16, Be32, Mac};

/// The device that stand-ins are routed to.
pub const DEVICE: &str = "lvs-probe";
/// Its peer, which carries the program `lvs_probe`.
pub const PEER: &str = "lvs-probe-x";
/// The device's link-layer address, locally administered; the peer's is one more.
pub const DEVICE_MAC: Mac = Mac::new([0x02, b'l', b'v', b's', b'p', 0]);

/// The network of IPv4's stand-ins (RFC 2544 §C.2.2), where no other is set.
pub const NETWORK_V4: Be32 = Be32::new(0xc612_0000);
/// Length of its prefix: as many addresses as [`MAX_DESTS`](super::MAX_DESTS).
pub const PREFIX_V4: u8 = 15;
/// The first half of IPv6's stand-ins, a local network (RFC 4193), where no other is set:
/// `fd6c:7673:7072:6f62::/64`.
pub const NETWORK_V6: [Be32; 2] = [Be32::new(0xfd6c_7673), Be32::new(0x7072_6f62)];
/// Length of its prefix.
pub const PREFIX_V6: u8 = 64;

/// The first source port, or ICMP identification, that flows have on their way to real servers: above
/// those that Linux gives to its own sockets (`ip_local_port_range`).
pub const FIRST_PORT: u16 = 61_000;
/// How many there are.
pub const PORTS: u16 = u16::MAX - FIRST_PORT + 1;

/// Flows that are remembered; the least recently used make room.
pub const MAX_PROBES: usize = 1 << 15;
/// Ends of real servers that are probed.
pub const MAX_PROBED: usize = 1 << 17;

/// A flow as its answers have it: from the real server's end to the director's.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct ProbeKey {
    /// Whom it talks to: the VIP, with NAT the RIP.
    pub peer: Addr,
    /// As whom: the director's address toward the real server, with NAT the VIP.
    pub own: Addr,
    /// The peer's port; 0 in ICMP.
    pub peer_port: Be16,
    /// The own one, from [`FIRST_PORT`] on; of ICMP the identification.
    pub own_port: Be16,
    /// Protocol number.
    pub protocol: u8,
    /// Zero.
    pub pad: [u8; 3],
}

/// The flow as the program that probes has it, behind [`DEVICE`].
///
/// Writer: program.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct ProbeFlow {
    /// The real server's stand-in.
    pub stand_in: Addr,
    /// The program's address.
    pub near: Addr,
    /// The stand-in's port; 0 in ICMP.
    pub port: Be16,
    /// The program's port; of ICMP the identification.
    pub near_port: Be16,
    /// Slot of the real server.
    pub dest: u32,
    /// When it last sent something, ticks.
    pub last: u32,
    /// Zero.
    pub pad: u32,
}

/// What is probed: an end of a real server.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct ProbedEnd {
    /// Slot of the real server.
    pub dest: u32,
    /// The stand-in's port; 0 in ICMP.
    pub port: Be16,
    /// Protocol number.
    pub protocol: u8,
    /// Zero.
    pub pad: u8,
}

/// What became of the last flow to an end; each is 1 or 0, written apart from the others.
///
/// Writer: program; zeroed when a flow begins.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Probed {
    /// Something came back as it should.
    pub answered: u8,
    /// It was a refusal: RST, or ABORT.
    pub refused: u8,
    /// The flow's own packet came back: the real server forwarded it.
    pub looped: u8,
    /// The answer took another way than through the real server's gateway, the director.
    pub detoured: u8,
    /// An ICMP error came back that is about the packet itself,
    pub unreachable: u8,
    /// or about the tunnel's packet that it was in.
    pub untunneled: u8,
    /// The error's type,
    pub kind: u8,
    /// and code.
    pub code: u8,
    /// Who sent the error.
    pub from: Addr,
}

/// The stand-in of a real server's slot, in one of [`NETWORK_V4`]'s size.
#[inline(always)]
#[must_use]
pub const fn stand_in_v4(network: Be32, slot: u32) -> Be32 {
    Be32::new(network.get() | slot)
}

/// The stand-in of a real server's slot in IPv6.
#[inline(always)]
#[must_use]
pub const fn stand_in_v6(network: [Be32; 2], slot: u32) -> Addr {
    Addr::from_words([network[0], network[1], Be32::new(0), Be32::new(slot)])
}

/// The slot of a stand-in.
#[inline(always)]
#[must_use]
pub const fn slot_v4(network: Be32, address: Be32) -> Option<u32> {
    let slot = address.get() ^ network.get();
    if slot >> (32 - PREFIX_V4) == 0 { Some(slot) } else { None }
}

/// The slot of a stand-in of IPv6.
#[inline(always)]
#[must_use]
pub const fn slot_v6(network: [Be32; 2], address: Addr) -> Option<u32> {
    let [a, b, c, slot] = address.words();
    let other = a.raw() ^ network[0].raw() | b.raw() ^ network[1].raw() | c.raw();
    if other == 0 { Some(slot.get()) } else { None }
}

/// The address that the host itself has on [`DEVICE`]: the last of the network, which is nobody's
/// stand-in.
#[inline(always)]
#[must_use]
pub const fn near_v4(network: Be32) -> Be32 {
    stand_in_v4(network, u32::MAX >> PREFIX_V4)
}

/// The same in IPv6.
#[inline(always)]
#[must_use]
pub const fn near_v6(network: [Be32; 2]) -> Addr {
    stand_in_v6(network, u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::map::MAX_DESTS;

    #[test]
    fn every_slot_has_a_stand_in_that_leads_back_to_it() {
        for slot in [0, 1, 255, 256, 65_536, u32::try_from(MAX_DESTS).unwrap() - 1] {
            assert_eq!(slot_v4(NETWORK_V4, stand_in_v4(NETWORK_V4, slot)), Some(slot));
            assert_eq!(slot_v6(NETWORK_V6, stand_in_v6(NETWORK_V6, slot)), Some(slot));
        }
    }

    #[test]
    fn stand_ins_are_of_the_networks_that_are_told() {
        let first = Addr::v4(stand_in_v4(NETWORK_V4, 258)).ip();
        assert_eq!(first, Ipv4Addr::new(198, 18, 1, 2));
        assert_eq!(Addr::v4(near_v4(NETWORK_V4)).ip(), Ipv4Addr::new(198, 19, 255, 255));
        let first: Ipv6Addr = "fd6c:7673:7072:6f62::102".parse().unwrap();
        assert_eq!(stand_in_v6(NETWORK_V6, 258).v6(), first);
    }

    #[test]
    fn other_addresses_stand_for_nobody() {
        assert_eq!(slot_v4(NETWORK_V4, Be32::new(0xc614_0001)), None);
        assert_eq!(slot_v4(NETWORK_V4, Be32::new(0x0000_0001)), None);
        assert_eq!(slot_v6(NETWORK_V6, Addr::from(Ipv6Addr::LOCALHOST)), None);
        let far = Addr::from_words([NETWORK_V6[0], NETWORK_V6[1], Be32::new(1), Be32::new(0)]);
        assert_eq!(slot_v6(NETWORK_V6, far), None);
    }
}
