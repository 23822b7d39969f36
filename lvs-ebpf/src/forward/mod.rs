//! 7. On its way: by the connection's forwarding method.

mod dr;
mod nat;
mod send;

use lvs_common::{
    conntable::Bucket,
    map::Method,
    verdict::{Reason, Verdict},
    wire::Frame,
};

use crate::{connection::Connection, packet::Packet, tables::Tables};

pub(crate) use nat::reply;

/// To the real server.
#[inline(always)]
pub(crate) fn request<F: Frame, B: Bucket, T: Tables>(
    frame: &mut F,
    packet: &Packet,
    connection: &Connection<B>,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    match connection.hit.entry.method() {
        Method::DIRECT_ROUTE => dr::request(frame, packet, connection, tables),
        Method::MASQ => nat::request(frame, packet, connection, tables),
        _ => Err(Verdict::Drop(Reason::Broken)),
    }
}
