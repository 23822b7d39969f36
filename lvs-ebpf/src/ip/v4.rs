//! IPv4 (RFC 791).

use lvs_common::{
    map::Family,
    net::{
        Addr, Be16, Be32,
        checksum::{self, Edit},
        protocol,
    },
    verdict::{Reason, Verdict},
    wire::{ETHERTYPE_IPV4, Frame, Ipv4},
};

use super::{Carried, End, Header, Ip, NETWORK};
use crate::parse::MALFORMED;

const BROKEN: Verdict = Verdict::Drop(Reason::Broken);

impl Ip for Be32 {
    const FAMILY: Family = Family::V4;
    const ETHERTYPE: Be16 = ETHERTYPE_IPV4;
    const CARRIED: u8 = protocol::IPIP;
    const UDP_IS_SUMMED: bool = false;

    #[inline(always)]
    fn header<F: Frame>(frame: &F) -> Result<Header<Self>, Verdict> {
        let ip = frame.at::<Ipv4>(NETWORK).ok_or(MALFORMED)?;
        let (header, bytes) = (ip.header_len(), ip.total_length.get());
        if !ip.is_v4() || header < Ipv4::MIN_LEN || NETWORK + bytes as usize > frame.len() {
            return Err(MALFORMED);
        }
        if ip.is_fragment() {
            return Err(Verdict::Pass(Reason::Fragment));
        }
        Ok(Header {
            source: ip.source,
            destination: ip.destination,
            protocol: ip.protocol,
            bytes,
            payload: NETWORK + header,
        })
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
    fn carried<F: Frame>(frame: &F) -> Result<Carried, Verdict> {
        let ip = frame.at::<Ipv4>(NETWORK).ok_or(BROKEN)?;
        let (tos, ttl, id) = (ip.tos, ip.ttl, ip.id);
        let dont_fragment = ip.dont_fragment();
        Ok(Carried { tos, ttl, dont_fragment, cuttable: !dont_fragment, id })
    }

    #[inline(always)]
    fn readdress<F: Frame>(self, frame: &mut F, end: End, edit: Edit) -> Result<(), Verdict> {
        let ip = frame.at_mut::<Ipv4>(NETWORK).ok_or(BROKEN)?;
        ip.check = edit.apply(ip.check);
        match end {
            End::Source => ip.source = self,
            End::Destination => ip.destination = self,
        }
        Ok(())
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
