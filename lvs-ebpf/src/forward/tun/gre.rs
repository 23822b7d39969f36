//! GRE: its header before the packet (`gre_build_header`).

use lvs_common::{
    net::{Be16, checksum::fold},
    verdict::Verdict,
    wire::{Frame, Gre, GreChecksum},
};

use super::{BROKEN, behind};
use crate::ip::Ip;

/// Of the header, with or without a checksum.
#[inline(always)]
pub(super) const fn bytes(summed: bool) -> u16 {
    if summed { 8 } else { 4 }
}
const _: () = assert!(bytes(true) as usize == size_of::<Gre>() + size_of::<GreChecksum>());

/// Writes it. `sum` is the sum over the packet if there is to be a checksum.
#[inline(always)]
pub(super) fn write<O: Ip, F: Frame>(
    frame: &mut F,
    ethertype: Be16,
    sum: Option<u16>,
) -> Result<(), Verdict> {
    let flags = if sum.is_some() { Gre::CHECKSUM } else { Be16::new(0) };
    *frame.at_mut::<Gre>(behind::<O>()).ok_or(BROKEN)? = Gre { flags, ethertype };
    if let Some(sum) = sum {
        let all = u64::from(flags.raw()) + u64::from(ethertype.raw()) + u64::from(sum);
        let check = Be16::from_raw(!fold(all));
        *frame.at_mut::<GreChecksum>(behind::<O>() + size_of::<Gre>()).ok_or(BROKEN)? =
            GreChecksum { check, reserved: Be16::new(0) };
    }
    Ok(())
}
