//! What the outer IP header says.

use lvs_common::net::Be16;

use crate::ip::Carried;

/// Bits of the type of service in which routers tell of congestion (RFC 3168 §5), and what they hold.
const ECN: u8 = 3;
const ECT_0: u8 = 2;
const CE: u8 = 3;

/// What it takes over from the packet inside. `flow` keeps the identifications of different clients'
/// fragments apart.
#[inline(always)]
pub(super) fn carried(inner: Carried, flow: u32) -> Carried {
    let id = if inner.dont_fragment {
        // RFC 6864 §4.1: nobody looks at the identification of what is not cut.
        0
    } else {
        inner.id.get().wrapping_add((flow >> 16) as u16)
    };
    Carried { tos: tos(inner.tos), id: Be16::new(id), ..inner }
}

/// As `INET_ECN_encapsulate`: congestion on the way so far is the inner header's matter.
#[inline(always)]
const fn tos(inner: u8) -> u8 {
    if inner & ECN == CE { inner & !ECN | ECT_0 } else { inner }
}
