//! IPv4 (RFC 791).

use lvs_common::{
    map::{Family, Tunables, probe},
    net::{
        Addr, Be16, Be32,
        checksum::{self, Edit},
        protocol,
    },
    verdict::{Reason, Verdict},
    wire::{ETHERTYPE_IPV4, Frame, Icmp, Ipv4},
};

use super::{Carried, End, Fragment, Head, Header, Ip, NETWORK};
use crate::parse::MALFORMED;

const BROKEN: Verdict = Verdict::Drop(Reason::Broken);

/// Odd, so that no two offsets of a datagram give the same identification.
const SPREAD: u16 = 0x9e37;

impl Ip for Be32 {
    const FAMILY: Family = Family::V4;
    const ETHERTYPE: Be16 = ETHERTYPE_IPV4;
    const CARRIED: u8 = protocol::IPIP;
    const IS_SUMMED: bool = true;
    const UDP_IS_SUMMED: bool = false;
    const ICMP: u8 = protocol::ICMP;
    const BYTES: u16 = 20;
    const PORT_UNREACHABLE: (u8, u8) = (Icmp::UNREACHABLE, Icmp::PORT);
    const TIME_EXCEEDED: (u8, u8) = (Icmp::TIME_EXCEEDED, 0);
    const TOO_LONG: (u8, u8) = (Icmp::UNREACHABLE, Icmp::TOO_LONG);
    // ip_rt_min_pmtu
    const LEAST_MTU: u32 = 552;
    const MTU_BITS: u32 = 0xffff;
    const FRAGMENT_BYTES: u64 = 0;
    const ECHO: (u8, u8) = (8, 0);
    // RFC 1812 §4.3.2.3
    const ERROR_BYTES: u16 = 576;

    #[inline(always)]
    fn header<F: Frame>(frame: &F) -> Result<Header<Self>, Verdict> {
        let ip = sound(frame)?;
        if ip.is_fragment() {
            return Err(Verdict::Pass(Reason::Fragment));
        }
        Ok(Header {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol,
            bytes: ip.total_length.get(),
            payload: NETWORK + ip.header_len(),
        })
    }

    #[inline(always)]
    fn fragment<F: Frame>(frame: &F) -> Result<Fragment<Self>, Verdict> {
        let ip = sound(frame)?;
        Ok(Fragment {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol,
            key: (Be32::new(ip.id.get().into()), ip.protocol),
            bytes: ip.total_length.get(),
            start: ip.start(),
            has_more: ip.has_more(),
            at: NETWORK + ip.header_len(),
        })
    }

    #[inline(always)]
    fn beginning<F: Frame>(frame: &F) -> Result<(Header<Self>, bool), Verdict> {
        let fragment = Self::fragment(frame)?;
        if fragment.start != 0 {
            return Err(Verdict::Pass(Reason::Fragment));
        }
        Ok((fragment.header(), fragment.has_more))
    }

    #[inline(always)]
    fn age<F: Frame>(frame: &mut F) -> Result<(), Verdict> {
        let ip = frame.at_mut::<Ipv4>(NETWORK).ok_or(BROKEN)?;
        if ip.ttl <= 1 {
            return Err(Verdict::Drop(Reason::TtlExpired));
        }
        ip.decrement_ttl();
        Ok(())
    }

    #[inline(always)]
    fn quoted<F: Frame>(frame: &F, at: usize) -> Option<Header<Self>> {
        let ip = frame.at::<Ipv4>(at)?;
        let header = ip.header_len();
        if !ip.is_v4() || header < Ipv4::MIN_LEN || !ip.is_beginning() {
            return None;
        }
        Some(Header {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol,
            bytes: ip.total_length.get(),
            payload: at + header,
        })
    }

    #[inline(always)]
    fn carried<F: Frame>(frame: &F, at: usize) -> Result<Carried, Verdict> {
        let ip = frame.at::<Ipv4>(at).ok_or(BROKEN)?;
        let (tos, ttl) = (ip.tos, ip.ttl);
        let dont_fragment = ip.dont_fragment();
        // What carries one fragment may be cut itself, and its pieces must not be taken for another's.
        let id = Be16::new(ip.id.get().wrapping_add((ip.start() >> 3).wrapping_mul(SPREAD)));
        Ok(Carried { tos, ttl, dont_fragment, id })
    }

    #[inline(always)]
    fn write<F: Frame>(frame: &mut F, head: &Head<Self>) -> Result<(), Verdict> {
        let Carried { tos, ttl, dont_fragment, id } = head.carried;
        let header = Ipv4 {
            version_ihl: Ipv4::PLAIN,
            tos,
            total_length: Be16::new(head.bytes),
            id,
            fragment: if dont_fragment { Ipv4::DONT_FRAGMENT } else { Be16::new(0) },
            ttl,
            protocol: head.protocol,
            check: Be16::new(0),
            source: head.source,
            destination: head.destination,
        };
        *frame.at_mut::<Ipv4>(NETWORK).ok_or(BROKEN)? = header.sealed();
        Ok(())
    }

    #[inline(always)]
    fn readdress_at<F: Frame>(
        self,
        frame: &mut F,
        at: usize,
        end: End,
        edit: Edit,
    ) -> Result<(), Verdict> {
        let ip = frame.at_mut::<Ipv4>(at).ok_or(BROKEN)?;
        ip.check = edit.apply(ip.check);
        match end {
            End::Source => ip.source = self,
            End::Destination => ip.destination = self,
        }
        Ok(())
    }

    #[inline(always)]
    fn is_error(kind: u8) -> bool {
        matches!(kind, Icmp::UNREACHABLE | Icmp::SOURCE_QUENCH | Icmp::TIME_EXCEEDED)
    }

    #[inline(always)]
    fn is_unicast(self) -> bool {
        // RFC 1122 §3.2.1.3: neither this network, nor loopback, nor groups and what is above them.
        let [first, ..] = self.bytes();
        first != 0 && first != 127 && first < 224
    }

    #[inline(always)]
    fn error_tos(tos: u8) -> u8 {
        // RFC 1812 §4.3.2.5: internetwork control.
        tos & 0x1e | 0xc0
    }

    #[inline(always)]
    fn icmp_edit(_: Edit, _: Edit) -> Edit {
        // No pseudo-header; and what a quoted address changes, the quoted header's checksum undoes.
        Edit::new()
    }

    #[inline(always)]
    fn icmp_pseudo(_: Self, _: Self, _: u16) -> u16 {
        0
    }

    #[inline(always)]
    fn edit(before: Self, after: Self) -> Edit {
        Edit::new().word(before, after)
    }

    #[inline(always)]
    fn pseudo(source: Self, destination: Self, protocol: u8, length: u16) -> u16 {
        checksum::pseudo_v4(source, destination, protocol, length)
    }

    #[inline(always)]
    fn slot(self, tunables: &Tunables) -> Option<u32> {
        probe::slot_v4(tunables.stand_ins, self)
    }

    #[inline(always)]
    fn wide(self) -> Addr {
        Addr::v4(self)
    }

    #[inline(always)]
    fn narrow(address: Addr) -> Self {
        address.low()
    }

    #[inline(always)]
    fn fold(self) -> Self {
        self
    }

    #[inline(always)]
    fn masked(self, netmask: u32) -> Self {
        Self::from_raw(self.raw() & netmask)
    }
}

/// The header, if it is that of a whole packet.
#[inline(always)]
fn sound<F: Frame>(frame: &F) -> Result<&Ipv4, Verdict> {
    let ip = frame.at::<Ipv4>(NETWORK).ok_or(MALFORMED)?;
    let (header, bytes) = (ip.header_len(), ip.total_length.get());
    if !ip.is_v4() || header < Ipv4::MIN_LEN || !frame.holds(NETWORK + bytes as usize) {
        return Err(MALFORMED);
    }
    Ok(ip)
}
