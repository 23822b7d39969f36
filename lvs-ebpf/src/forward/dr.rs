//! DR, gatewaying (`ip_vs_dr_xmit`): the packet goes as it is to the real server's link-layer address,
//! one hop older. The real server has the VIP on a device that does not answer ARP, and replies to the
//! client by itself.

use lvs_common::{
    verdict::{Reason, Verdict},
    wire::Frame,
};

use super::send;
use crate::{connection::Connection, ip::Ip as _, packet::Packet, tables::Tables};

#[inline(always)]
pub(super) fn request<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    connection: Connection,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    let hop = send::to_dest(packet, connection.next_hop, tables)?;
    // A generic hook sees merged segments; only the interface that they came in by takes them as such.
    if u32::from(packet.bytes) > hop.mtu && !send::reflects(frame, hop) {
        return Err(Verdict::Drop(Reason::OverMtu));
    }
    T::Address::age(frame)?;
    send::out(frame, hop)
}
