//! From a packet without a connection to a new one: stages 3 to 5.

use lvs_common::{map::Service, template::Persistence, verdict::Verdict};

use crate::{
    account,
    classify::classify,
    connection::{self, Connection},
    packet::Packet,
    persist::{self, Template},
    schedule::schedule,
    tables::Tables,
};

/// The connection that a packet begins.
///
/// # Errors
/// It is for no service, or no real server takes it, or there is no place for it.
#[inline(always)]
pub fn open<T: Tables>(packet: &Packet<T::Address>, tables: &mut T) -> Result<Connection, Verdict> {
    let service = classify(packet, tables)?;
    let persistence = Persistence::of(service);
    let one_packet = service.has(Service::ONE_PACKET) && packet.is_udp();
    let template = persistence.map(|persistence| persist::find(packet, persistence, tables));
    let dest = match &template {
        Some(Template::Valid(hit)) => Ok(hit.entry.dest()),
        _ => schedule(packet, service, tables),
    };
    let dest = match (persistence, template) {
        (Some(persistence), Some(template)) => {
            persist::follow(packet, persistence, template, dest, tables)?
        }
        _ => dest?,
    };
    let keeps_port = persistence.is_some_and(|service| !service.is_own(packet.destination_port));
    if one_packet {
        account::one_packet(dest, tables);
        return connection::fleeting(dest, keeps_port, tables);
    }
    connection::begin(packet, dest, keeps_port, persistence.is_some(), tables)
}
