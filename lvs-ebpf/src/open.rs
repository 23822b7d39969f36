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

/// What is decided of a connection to be.
#[derive(Clone, Copy)]
pub struct Opening {
    /// Slot of its real server.
    dest: u32,
    /// NAT leaves the port as it is.
    keeps_port: bool,
    /// A template led to the real server.
    is_templated: bool,
    /// It is for this packet alone.
    is_one_packet: bool,
}

/// The connection that a packet begins.
///
/// # Errors
/// It is for no service, or no real server takes it, or there is no place for it.
#[inline(always)]
pub fn open<T: Tables>(packet: &Packet<T::Address>, tables: &mut T) -> Result<Connection, Verdict> {
    let opening = decide(packet, tables)?;
    begin(packet, opening, tables)
}

/// Where the connection goes that a packet begins.
///
/// # Errors
/// It is for no service, or no real server takes it, or there is no place for its template.
#[inline(always)]
pub fn decide<T: Tables>(packet: &Packet<T::Address>, tables: &mut T) -> Result<Opening, Verdict> {
    let service = classify(packet, tables)?;
    let persistence = Persistence::of(service);
    let is_one_packet = service.has(Service::ONE_PACKET) && packet.is_udp();
    let template = match persistence {
        Some(persistence) => persist::find(packet, persistence, tables),
        None => Template::Needless,
    };
    let dest = match &template {
        Template::Valid(hit) => Ok(hit.entry.dest()),
        _ => schedule(packet, service, tables),
    };
    let dest = match persistence {
        Some(persistence) => persist::follow(packet, persistence, template, dest, tables)?,
        None => dest?,
    };
    let keeps_port = persistence.is_some_and(|service| !service.is_own(packet.destination_port));
    Ok(Opening { dest, keeps_port, is_templated: persistence.is_some(), is_one_packet })
}

/// The connection, now that it is decided where it goes.
///
/// # Errors
/// There is no place for it.
#[inline(always)]
pub fn begin<T: Tables>(
    packet: &Packet<T::Address>,
    opening: Opening,
    tables: &mut T,
) -> Result<Connection, Verdict> {
    let Opening { dest, keeps_port, is_templated, is_one_packet } = opening;
    if is_one_packet {
        account::one_packet(dest, tables);
        return connection::fleeting(packet, dest, keeps_port, tables);
    }
    connection::begin(packet, dest, keeps_port, is_templated, tables)
}
