//! The outer packet: what it carries, and taking its headers off.

use core::{ffi::c_long, mem::size_of};

use aya_ebpf::{
    bindings::{BPF_F_ADJ_ROOM_FIXED_GSO, bpf_adj_room_mode::BPF_ADJ_ROOM_MAC},
    programs::TcContext,
};
use lvs_common::{
    net::{Addr, Be16, protocol},
    wire::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ethernet, Gre, GreChecksum, Gue, Ipv4, Ipv6, Udp},
};

/// `PACKET_HOST` of `linux/if_packet.h`: it is for this machine.
const PACKET_HOST: u32 = 0;

/// Where IP begins: a VLAN's tag is not in the packet any more.
const NETWORK: usize = size_of::<Ethernet>();

/// By how much the IPv6 header is longer.
const DIFFERENCE: i32 = (size_of::<Ipv6>() - Ipv4::MIN_LEN) as i32;

/// What a packet is.
pub enum Found {
    /// Nothing with a tunnel's headers.
    Nothing,
    /// Part of what may be in a tunnel.
    Fragment,
    /// In a tunnel.
    Tunnel(Tunnel),
}

/// A packet in a packet.
pub struct Tunnel {
    /// Whom the packet inside is for.
    pub destination: Addr,
    /// The UDP port that it came to.
    pub port: Option<Be16>,
    /// Bytes of headers that it is to lose.
    bytes: i32,
    outer: Family,
    inner: Family,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Looks at a packet on its way into the host.
#[inline(always)]
pub fn find(context: &TcContext) -> Found {
    // SAFETY: the context is valid while the program runs.
    let kind = unsafe { (*context.skb.skb).pkt_type };
    // SAFETY: as above.
    let ethertype = unsafe { (*context.skb.skb).protocol };
    if kind != PACKET_HOST {
        return Found::Nothing;
    }
    let (outer, carried, behind) = if ethertype == u32::from(ETHERTYPE_IPV4.raw()) {
        let Ok(ip) = context.load::<Ipv4>(NETWORK) else { return Found::Nothing };
        if ip.is_fragment() && may_carry(ip.protocol) {
            return Found::Fragment;
        }
        (Family::V4, ip.protocol, NETWORK + ip.header_len())
    } else if ethertype == u32::from(ETHERTYPE_IPV6.raw()) {
        let Ok(ip) = context.load::<Ipv6>(NETWORK) else { return Found::Nothing };
        (Family::V6, ip.next_header, NETWORK + size_of::<Ipv6>())
    } else {
        return Found::Nothing;
    };
    let found = inside(context, carried, behind);
    let Some((inner, at, port)) = found else { return Found::Nothing };
    let destination = match inner {
        Family::V4 => match context.load::<Ipv4>(at) {
            Ok(ip) if ip.is_v4() => Addr::v4(ip.destination),
            _ => return Found::Nothing,
        },
        Family::V6 => match context.load::<Ipv6>(at) {
            Ok(ip) if ip.is_v6() => ip.destination,
            _ => return Found::Nothing,
        },
    };
    let bytes = (at - NETWORK) as i32;
    Found::Tunnel(Tunnel { destination, port, bytes, outer, inner })
}

/// Whether a fragment of it can be one of a tunnel's packet. Of UDP, only the first says whose it is.
#[inline(always)]
const fn may_carry(carried: u8) -> bool {
    matches!(carried, protocol::IPIP | protocol::IPV6 | protocol::GRE)
}

/// What is in the tunnel, where it begins, and the port that it came to.
#[inline(always)]
fn inside(context: &TcContext, carried: u8, at: usize) -> Option<(Family, usize, Option<Be16>)> {
    match carried {
        protocol::IPIP => Some((Family::V4, at, None)),
        protocol::IPV6 => Some((Family::V6, at, None)),
        protocol::GRE => {
            let gre: Gre = context.load(at).ok()?;
            let inner = match gre.ethertype {
                ETHERTYPE_IPV4 => Family::V4,
                ETHERTYPE_IPV6 => Family::V6,
                _ => return None,
            };
            let bytes = match gre.flags.get() {
                0 => size_of::<Gre>(),
                SUMMED => size_of::<Gre>() + size_of::<GreChecksum>(),
                _ => return None,
            };
            Some((inner, at + bytes, None))
        }
        protocol::UDP => {
            let udp: Udp = context.load(at).ok()?;
            let gue: Gue = context.load(at + size_of::<Udp>()).ok()?;
            let inner = match gue.protocol {
                protocol::IPIP => Family::V4,
                protocol::IPV6 => Family::V6,
                _ => return None,
            };
            // Version 0, data, no options.
            let plain = gue.version_length == 0 && gue.flags.get() == 0;
            let at = at + size_of::<Udp>() + size_of::<Gue>();
            plain.then_some((inner, at, Some(udp.destination)))
        }
        _ => None,
    }
}

/// [`Gre::CHECKSUM`] as a number.
const SUMMED: u16 = Gre::CHECKSUM.get();

impl Tunnel {
    /// Takes the headers off. After a failure the packet is of no use.
    #[inline(always)]
    pub fn take_out(&self, context: &TcContext) -> Result<(), c_long> {
        let mut bytes = self.bytes;
        if self.outer != self.inner {
            // Only this helper changes what the stack takes the packet for, on every kernel.
            let (ethertype, change) = match self.inner {
                Family::V4 => (ETHERTYPE_IPV4, -DIFFERENCE),
                Family::V6 => (ETHERTYPE_IPV6, DIFFERENCE),
            };
            context.change_proto(ethertype.raw(), 0)?;
            context.store(NETWORK - size_of::<Be16>(), &ethertype, 0)?;
            bytes += change;
        }
        // Merged segments keep the size that they were sent with.
        context.adjust_room(-bytes, BPF_ADJ_ROOM_MAC, u64::from(BPF_F_ADJ_ROOM_FIXED_GSO))
    }
}
