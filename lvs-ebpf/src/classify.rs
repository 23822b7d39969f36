//! 3. On a miss: which virtual service is it for? Packet → [`Service`] (`ip_vs_service_find`).

use lvs_common::{
    map::{Service, ServiceKey, Tunables},
    net::{Be16, protocol},
    sctp_state::Event,
    template::FTP,
    verdict::{Reason, Verdict},
    wire::Tcp,
};

use crate::{ip::Ip, packet::Packet, tables::Tables};

/// ftp-data: never scheduled, whatever the protocol.
const FTP_DATA: Be16 = Be16::new(20);
/// The first port that any program may take.
const UNPRIVILEGED: u16 = 1024;

#[inline(always)]
pub(crate) fn classify<'t, T: Tables>(
    packet: &Packet<T::Address>,
    tables: &'t T,
) -> Result<&'t Service, Verdict> {
    const NOT: Verdict = Verdict::Pass(Reason::NotSchedulable);
    let service = service(packet, tables).ok_or_else(|| nobodys(packet, tables))?;
    if !opens(packet, tables) || packet.source_port == FTP_DATA {
        return Err(NOT);
    }
    let named = service.mark != 0 || service.port == packet.destination_port;
    if named || service.has(Service::PERSISTENT) { Ok(service) } else { Err(NOT) }
}

/// Why it is passed if it is for no service: it may have seemed an answer to a health check.
#[inline(always)]
fn nobodys<T: Tables>(packet: &Packet<T::Address>, tables: &T) -> Verdict {
    let is_vip = tables.is_vip(packet.destination);
    Verdict::Pass(if is_vip { Reason::NoService } else { Reason::NotOurs })
}

/// By firewall mark, by port, as a data connection of FTP, or as any other port.
#[inline(always)]
fn service<'t, T: Tables>(packet: &Packet<T::Address>, tables: &'t T) -> Option<&'t Service> {
    let kinds = tables.tunables().kinds;
    let mut key = ServiceKey {
        address: packet.destination.wide(),
        port: packet.destination_port,
        protocol: packet.protocol,
        family: T::Address::FAMILY,
    };
    if tables.tunables().marks != 0 {
        let mark = tables.mark(&key);
        if mark != 0
            && let Some(service) = tables.service(&ServiceKey::mark(mark, T::Address::FAMILY))
        {
            return Some(service);
        }
    }
    if let Some(service) = tables.service(&key) {
        return Some(service);
    }
    let port = key.port;
    if kinds & Tunables::FTP != 0
        && packet.is_tcp()
        && (port == FTP_DATA || port.get() >= UNPRIVILEGED)
    {
        key.port = FTP;
        if let Some(service) = tables.service(&key) {
            return Some(service);
        }
    }
    if kinds & Tunables::ANY_PORT == 0 {
        return None;
    }
    key.port = Be16::new(0);
    tables.service(&key)
}

/// Whether the packet may create a connection (`tcp_conn_schedule`, `udp_conn_schedule`,
/// `sctp_conn_schedule`).
#[inline(always)]
fn opens<T: Tables>(packet: &Packet<T::Address>, tables: &T) -> bool {
    let tunables = tables.tunables();
    match packet.protocol {
        protocol::UDP => true,
        protocol::TCP => {
            packet.flags & Tcp::RST == 0 && (packet.asks() || tunables.sloppy_tcp != 0)
        }
        _ => {
            let aborts = packet.event() == Event::ABORT;
            !aborts && (packet.asks() || tunables.sloppy_sctp != 0)
        }
    }
}
