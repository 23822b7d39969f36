//! What every method ends with: link-layer addresses, out of an interface.

use lvs_common::{
    map::NextHop,
    verdict::{Reason, Verdict},
    wire::{Ethernet, Frame},
};

use crate::{packet::Packet, tables::Tables, vlan};

pub(crate) const BROKEN: Verdict = Verdict::Drop(Reason::Broken);

/// To the director's own stack, as it is (`ip_vs_xmit`: a local route).
pub(crate) const LOCAL: Verdict = Verdict::Pass(Reason::Local);

/// The next hop of a real server.
///
/// # Errors
/// [`LOCAL`], or none is known.
#[inline(always)]
pub(crate) fn hop<T: Tables>(slot: u32, tables: &T) -> Result<&NextHop, Verdict> {
    let hop = tables.next_hop(slot).ok_or(Verdict::Drop(Reason::NoNextHop))?;
    if hop.interface == 0 {
        let is_local = hop.flags & NextHop::LOCAL != 0;
        return Err(if is_local { LOCAL } else { Verdict::Drop(Reason::NoNextHop) });
    }
    Ok(hop)
}

/// The next hop of a real server, if the packet fits through.
#[inline(always)]
pub(crate) fn to_dest<'t, T: Tables>(
    packet: &Packet<T::Address>,
    slot: u32,
    tables: &'t T,
) -> Result<&'t NextHop, Verdict> {
    let hop = hop(slot, tables)?;
    if u32::from(packet.bytes) > hop.mtu && !tables.is_generic() {
        return Err(Verdict::Drop(Reason::OverMtu));
    }
    Ok(hop)
}

/// Whether the frame leaves in the driver by the interface that it came in by.
#[inline(always)]
pub(crate) fn reflects<F: Frame>(frame: &F, hop: &NextHop) -> bool {
    hop.flags & NextHop::REFLECTS != 0 && hop.interface == frame.ingress()
}

/// Addressed to the next hop and out.
#[inline(always)]
pub(crate) fn out<F: Frame>(frame: &mut F, hop: &NextHop) -> Result<Verdict, Verdict> {
    let reflects = reflects(frame, hop);
    let ethernet = frame.at_mut::<Ethernet>(0).ok_or(BROKEN)?;
    ethernet.destination = hop.destination;
    ethernet.source = hop.source;
    if hop.flags & NextHop::TAGGED != 0 {
        vlan::send(frame, hop.tags)?;
    }
    Ok(if reflects { Verdict::Transmit } else { Verdict::Redirect(hop.interface) })
}
