//! The outer IPv4 header.

use lvs_common::{
    net::{Be16, Be32},
    verdict::Verdict,
    wire::{Frame, Ipv4},
};

use super::BROKEN;
use crate::ip::{Carried, NETWORK};

/// Of the header, which has no options.
pub(super) const BYTES: u16 = 20;
const _: () = assert!(BYTES as usize == size_of::<Ipv4>());

/// Bits of the type of service in which routers tell of congestion (RFC 3168 §5), and what they hold.
const ECN: u8 = 3;
const ECT_0: u8 = 2;
const CE: u8 = 3;

/// What is in it that does not come from the packet inside.
#[derive(Clone, Copy)]
pub(super) struct Outer {
    /// All of the outer packet.
    pub(super) bytes: u16,
    pub(super) protocol: u8,
    /// The director's address.
    pub(super) source: Be32,
    /// The real server's.
    pub(super) destination: Be32,
}

impl Outer {
    /// Writes it. `flow` keeps the identifications of different clients' fragments apart.
    #[inline(always)]
    pub(super) fn write<F: Frame>(
        self,
        frame: &mut F,
        carried: Carried,
        flow: u32,
    ) -> Result<(), Verdict> {
        let (id, fragment) = if carried.dont_fragment {
            // RFC 6864 §4.1: nobody looks at the identification of what is not cut.
            (0, Ipv4::DONT_FRAGMENT)
        } else {
            (carried.id.get().wrapping_add((flow >> 16) as u16), Be16::new(0))
        };
        let header = Ipv4 {
            version_ihl: Ipv4::PLAIN,
            tos: tos(carried.tos),
            total_length: Be16::new(self.bytes),
            id: Be16::new(id),
            fragment,
            ttl: carried.ttl,
            protocol: self.protocol,
            check: Be16::new(0),
            source: self.source,
            destination: self.destination,
        };
        *frame.at_mut::<Ipv4>(NETWORK).ok_or(BROKEN)? = header.sealed();
        Ok(())
    }
}

/// As `INET_ECN_encapsulate`: congestion on the way so far is the inner header's matter.
#[inline(always)]
const fn tos(inner: u8) -> u8 {
    if inner & ECN == CE { inner & !ECN | ECT_0 } else { inner }
}
