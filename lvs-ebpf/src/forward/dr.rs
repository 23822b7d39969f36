//! DR, gatewaying (`ip_vs_dr_xmit`): the packet goes as it is to the real server's link-layer address,
//! one hop older. The real server has the VIP on a device that does not answer ARP, and replies to the
//! client by itself.

use lvs_common::{
    conntable::Bucket,
    verdict::{Reason, Verdict},
    wire::Frame,
};

use super::send;
use crate::{connection::Connection, packet::Packet, tables::Tables};

#[inline(always)]
pub(super) fn request<F: Frame, B: Bucket, T: Tables>(
    frame: &mut F,
    packet: &Packet,
    connection: &Connection<B>,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    let hop = send::to_dest(packet, connection.next_hop, tables)?;
    // A generic hook sees merged segments; only the interface that they came in by takes them as such.
    if u32::from(packet.bytes) > hop.mtu && !send::reflects(frame, hop) {
        return Err(Verdict::Drop(Reason::OverMtu));
    }
    send::age(frame)?;
    send::out(frame, hop)
}
