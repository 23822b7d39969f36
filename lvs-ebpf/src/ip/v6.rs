//! IPv6 (RFC 8200).

use lvs_common::{
    map::{Family, Tunables, probe},
    net::{
        Addr, Addr6, Be16, Be32,
        checksum::{self, Edit},
        protocol,
    },
    verdict::{Reason, Verdict},
    wire::{ETHERTYPE_IPV6, Extension, Fragment6, Frame, Ipv6},
};

use super::{Carried, End, Fragment, Head, Header, Ip, NETWORK};
use crate::parse::MALFORMED;

const BROKEN: Verdict = Verdict::Drop(Reason::Broken);
const OTHER: Verdict = Verdict::Pass(Reason::OtherProtocol);

/// Extension headers that are looked behind.
const EXTENSIONS: usize = 4;
/// The last offset in the frame that a payload may begin at, bytes: extension headers of 200.
const FARTHEST: usize = 255;

impl Ip for Addr6 {
    const FAMILY: Family = Family::V6;
    const ETHERTYPE: Be16 = ETHERTYPE_IPV6;
    const CARRIED: u8 = protocol::IPV6;
    const IS_SUMMED: bool = false;
    const UDP_IS_SUMMED: bool = true;
    const ICMP: u8 = protocol::ICMPV6;
    const BYTES: u16 = 40;
    // RFC 4443 §3
    const PORT_UNREACHABLE: (u8, u8) = (1, 4);
    const TIME_EXCEEDED: (u8, u8) = (3, 0);
    const TOO_LONG: (u8, u8) = (2, 0);
    // RFC 8201 §4
    const LEAST_MTU: u32 = 1280;
    const MTU_BITS: u32 = u32::MAX;
    const FRAGMENT_BYTES: u64 = size_of::<Fragment6>() as u64;
    const ECHO: (u8, u8) = (128, 129);
    const ERROR_BYTES: u16 = 1280;

    #[inline(always)]
    fn header<F: Frame>(frame: &F) -> Result<Header<Self>, Verdict> {
        let header = Self::plain(frame)?;
        let (protocol, payload) = payload(frame, header.protocol)?;
        if protocol == Extension::FRAGMENT {
            return Err(Verdict::Pass(Reason::Fragment));
        }
        Ok(Header { protocol, payload, ..header })
    }

    #[inline(always)]
    fn plain<F: Frame>(frame: &F) -> Result<Header<Self>, Verdict> {
        let ip = frame.at::<Ipv6>(NETWORK).ok_or(MALFORMED)?;
        let length = size_of::<Ipv6>() + ip.payload_length.get() as usize;
        if !ip.is_v6() || !frame.holds(NETWORK + length) {
            return Err(MALFORMED);
        }
        let (source, destination) = (Self::new(ip.source), Self::new(ip.destination));
        // One that is merged from many segments may be longer by its header.
        #[expect(clippy::cast_possible_truncation, reason = "the smaller of the two")]
        let bytes = if length > u16::MAX as usize { u16::MAX } else { length as u16 };
        let payload = NETWORK + size_of::<Ipv6>();
        Ok(Header { source, destination, protocol: ip.next_header, bytes, payload })
    }

    #[inline(always)]
    fn fragment<F: Frame>(frame: &F) -> Result<Fragment<Self>, Verdict> {
        let Header { source, destination, protocol, bytes, .. } = Self::plain(frame)?;
        let (protocol, at) = payload(frame, protocol)?;
        let header = frame.at::<Fragment6>(at).ok_or(MALFORMED)?;
        let (start, has_more) = (header.start(), header.has_more());
        // Later fragments need not know what the datagram carries (RFC 8200 §4.5).
        let (next, key) = (header.next_header, (header.id, 0));
        let at = at + size_of::<Fragment6>();
        if protocol != Extension::FRAGMENT || at > FARTHEST {
            return Err(OTHER);
        }
        Ok(Fragment { source, destination, protocol: next, key, bytes, start, has_more, at })
    }

    #[inline(always)]
    fn beginning<F: Frame>(frame: &F) -> Result<(Header<Self>, bool), Verdict> {
        let header = Self::plain(frame)?;
        let (mut protocol, mut payload) = payload(frame, header.protocol)?;
        let mut has_more = false;
        if protocol == Extension::FRAGMENT {
            let fragment = frame.at::<Fragment6>(payload).ok_or(MALFORMED)?;
            if fragment.start() != 0 {
                return Err(Verdict::Pass(Reason::Fragment));
            }
            (protocol, has_more) = (fragment.next_header, fragment.has_more());
            payload += size_of::<Fragment6>();
        }
        Ok((Header { protocol, payload, ..header }, has_more))
    }

    #[inline(always)]
    fn age<F: Frame>(frame: &mut F) -> Result<(), Verdict> {
        let ip = frame.at_mut::<Ipv6>(NETWORK).ok_or(BROKEN)?;
        if ip.hop_limit <= 1 {
            return Err(Verdict::Drop(Reason::TtlExpired));
        }
        ip.hop_limit -= 1;
        Ok(())
    }

    #[inline(always)]
    fn quoted<F: Frame>(frame: &F, at: usize) -> Option<Header<Self>> {
        // Of extension headers nobody looks behind another one than a first fragment's: an error quotes little
        // more than they take.
        let ip = frame.at::<Ipv6>(at)?;
        // What has ports has as many bytes there as a fragment's header.
        let behind = frame.at::<Fragment6>(at + size_of::<Ipv6>())?;
        // verifier: no way of its own for a fragment, or all that follows is walked twice
        let difference = F::veil((ip.next_header ^ Extension::FRAGMENT).into());
        let is_fragment = difference.wrapping_sub(1) >> 63;
        let later = F::veil(u64::from(behind.start()) & is_fragment.wrapping_neg());
        if !ip.is_v6() || later != 0 {
            return None;
        }
        let following = u64::from(ip.next_header ^ behind.next_header) & is_fragment.wrapping_neg();
        #[expect(clippy::cast_possible_truncation, reason = "a byte, or nothing; a few bytes")]
        let (following, more) = (F::veil(following) as u8, F::veil(is_fragment << 3) as usize & 8);
        Some(Header {
            source: Self::new(ip.source),
            destination: Self::new(ip.destination),
            protocol: ip.next_header ^ following,
            bytes: ip.payload_length.get().saturating_add(Self::BYTES),
            payload: at + size_of::<Ipv6>() + more,
        })
    }

    #[inline(always)]
    fn carried<F: Frame>(frame: &F, at: usize) -> Result<Carried, Verdict> {
        let ip = frame.at::<Ipv6>(at).ok_or(BROKEN)?;
        // Routers behind a link that is wide enough may cut what carries it
        // (`ip_vs_prepare_tunneled_skb`).
        let (tos, ttl) = (ip.class(), ip.hop_limit);
        Ok(Carried { tos, ttl, dont_fragment: false, id: Be16::new(0) })
    }

    #[inline(always)]
    fn write<F: Frame>(frame: &mut F, head: &Head<Self>) -> Result<(), Verdict> {
        let class = u32::from(head.carried.tos) << 20;
        *frame.at_mut::<Ipv6>(NETWORK).ok_or(BROKEN)? = Ipv6 {
            version_class_flow: Be32::new(6 << 28 | class),
            payload_length: Be16::new(head.bytes.wrapping_sub(Self::BYTES)),
            next_header: head.protocol,
            hop_limit: head.carried.ttl,
            source: head.source.addr(),
            destination: head.destination.addr(),
        };
        Ok(())
    }

    #[inline(always)]
    fn readdress_at<F: Frame>(
        self,
        frame: &mut F,
        at: usize,
        end: End,
        _: Edit,
    ) -> Result<(), Verdict> {
        // The header has no checksum.
        let ip = frame.at_mut::<Ipv6>(at).ok_or(BROKEN)?;
        match end {
            End::Source => ip.source = self.addr(),
            End::Destination => ip.destination = self.addr(),
        }
        Ok(())
    }

    #[inline(always)]
    fn is_error(kind: u8) -> bool {
        // RFC 4443 §2.1; 0 is reserved.
        kind != 0 && kind < 128
    }

    #[inline(always)]
    fn may_be_cut(_: Carried) -> bool {
        // Only the sender cuts (RFC 8200 §4.5), and must learn of a link that is too narrow.
        false
    }

    #[inline(always)]
    fn is_unicast(self) -> bool {
        // Neither unspecified nor loopback (RFC 4291 §2.5.2, §2.5.3) nor a group (§2.7).
        let [a, b, c, d] = self.addr().words();
        let near = a.raw() | b.raw() | c.raw() == 0 && d.get() <= 1;
        !near && a.get() >> 24 != 0xff
    }

    #[inline(always)]
    fn error_tos(_: u8) -> u8 {
        0
    }

    #[inline(always)]
    fn icmp_edit(outer: Edit, quoted: Edit) -> Edit {
        // Of the addresses in the pseudo-header, and of those in the quoted header, which has no checksum.
        outer.and(quoted)
    }

    #[inline(always)]
    fn icmp_pseudo(source: Self, destination: Self, length: u16) -> u16 {
        Self::pseudo(source, destination, Self::ICMP, length)
    }

    #[inline(always)]
    fn edit(before: Self, after: Self) -> Edit {
        Edit::new().address(before.addr(), after.addr())
    }

    #[inline(always)]
    fn pseudo(source: Self, destination: Self, protocol: u8, length: u16) -> u16 {
        checksum::pseudo_v6(source.addr(), destination.addr(), protocol, length)
    }

    #[inline(always)]
    fn slot(self, tunables: &Tunables) -> Option<u32> {
        probe::slot_v6(tunables.stand_ins6, self.addr())
    }

    #[inline(always)]
    fn wide(self) -> Addr {
        self.addr()
    }

    #[inline(always)]
    fn narrow(address: Addr) -> Self {
        Self::new(address)
    }

    #[inline(always)]
    fn fold(self) -> Be32 {
        self.addr().fold()
    }

    #[inline(always)]
    fn masked(self, netmask: u32) -> Self {
        Self::new(self.addr().network(netmask))
    }
}

/// What a packet carries behind its extension headers, or behind those before a fragment's, and where that
/// begins in the frame.
#[inline(always)]
fn payload<F: Frame>(frame: &F, first: u8) -> Result<(u8, usize), Verdict> {
    let (mut protocol, mut at) = (first, NETWORK + size_of::<Ipv6>());
    let mut headers = 0;
    while headers < EXTENSIONS {
        let is_route = protocol == Extension::ROUTING;
        if !is_route && protocol != Extension::HOP_BY_HOP && protocol != Extension::DESTINATION {
            break;
        }
        let header = frame.at::<Extension>(at).ok_or(MALFORMED)?;
        if is_route && header.segments_left != 0 {
            // Not at its end yet: the address that it goes to is not the one it is for.
            return Err(OTHER);
        }
        (protocol, at) = (header.next_header, at + header.len());
        if at > FARTHEST {
            return Err(OTHER);
        }
        headers += 1;
    }
    // One header too many is of no protocol that a service has, and ends there.
    Ok((protocol, at))
}
