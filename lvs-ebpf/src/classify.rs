//! 3. On a miss: which virtual service is it for? Packet → [`Service`] (`ip_vs_service_find`).

use lvs_common::{
    map::{Family, Service, ServiceKey},
    net::{Addr, Be16},
    verdict::{Reason, Verdict},
    wire::Tcp,
};

use crate::{packet::Packet, tables::Tables};

/// ftp-data: never scheduled, whatever the protocol.
const FTP_DATA: Be16 = Be16::new(20);

#[inline(always)]
pub(crate) fn classify<'t, T: Tables>(
    packet: &Packet,
    tables: &'t T,
) -> Result<&'t Service, Verdict> {
    let key = ServiceKey {
        address: Addr::v4(packet.destination),
        port: packet.destination_port,
        protocol: packet.protocol,
        family: Family::V4,
    };
    let service = tables.service(&key).ok_or(Verdict::Pass(Reason::NoService))?;
    if !opens(packet, tables) || packet.source_port == FTP_DATA {
        return Err(Verdict::Pass(Reason::NotSchedulable));
    }
    Ok(service)
}

/// Whether the packet may create a connection (`tcp_conn_schedule`, `udp_conn_schedule`).
#[inline(always)]
fn opens<T: Tables>(packet: &Packet, tables: &T) -> bool {
    if !packet.is_tcp() {
        return true;
    }
    packet.flags & Tcp::RST == 0
        && (packet.flags & Tcp::SYN != 0 || tables.tunables().sloppy_tcp != 0)
}
