//! GUE: a UDP header and GUE's own before the packet (`ip_vs_gue_encap`).

use lvs_common::{
    net::{Be16, checksum::fold, protocol},
    verdict::Verdict,
    wire::{Frame, Gue, Udp},
};

use super::{BROKEN, behind};
use crate::ip::{Head, Ip};

/// Of both headers.
pub(super) const BYTES: u16 = 12;
const _: () = assert!(BYTES as usize == size_of::<Udp>() + size_of::<Gue>());

/// The source ports of tunnels: `ip_local_port_range`, as it is by default.
const FIRST_PORT: u16 = 32_768;
const LAST_PORT: u16 = 60_999;

/// A flow's port (`udp_flow_src_port`): different ones, so that the real server's network card deals
/// clients out to its CPUs.
#[inline(always)]
pub(super) fn source_port(flow: u32) -> Be16 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a product's high half is below the factor"
    )]
    let above = ((u64::from(flow) * u64::from(LAST_PORT - FIRST_PORT)) >> 32) as u16;
    Be16::new(FIRST_PORT + above)
}

/// Writes both. `carried` is the packet's protocol number, `sum` the sum over the packet if there is to
/// be a checksum.
#[inline(always)]
pub(super) fn write<O: Ip, F: Frame>(
    frame: &mut F,
    outer: &Head<O>,
    (source, destination): (Be16, Be16),
    carried: u8,
    sum: Option<u16>,
) -> Result<(), Verdict> {
    let gue = Gue { version_length: 0, protocol: carried, flags: Be16::new(0) };
    *frame.at_mut::<Gue>(behind::<O>() + size_of::<Udp>()).ok_or(BROKEN)? = gue;
    let length = outer.bytes.wrapping_sub(O::BYTES);
    let udp = Udp { source, destination, length: Be16::new(length), check: Be16::new(0) };
    let check = sum.map_or(0, |sum| {
        let pseudo = O::pseudo(outer.source, outer.destination, protocol::UDP, length);
        let [ports, length]: [u32; 2] = bytemuck::cast(udp);
        let gue: u32 = bytemuck::cast(gue);
        let halves = u64::from(pseudo) + u64::from(sum);
        let check = !fold(halves + u64::from(ports) + u64::from(length) + u64::from(gue));
        // RFC 768: a sum of zero is sent as all ones.
        if check == 0 { 0xffff } else { check }
    });
    *frame.at_mut::<Udp>(behind::<O>()).ok_or(BROKEN)? =
        Udp { check: Be16::from_raw(check), ..udp };
    Ok(())
}
