//! 7. On its way: by the connection's forwarding method.

mod dr;
pub(crate) mod nat;
pub(crate) mod send;
pub(crate) mod tun;

use lvs_common::{
    map::Method,
    verdict::{Reason, Verdict},
    wire::Frame,
};

use crate::{connection::Connection, packet::Packet, tables::Tables};

pub(crate) use nat::reply;

/// To the real server, by a method that leaves the frame's length alone; see [`tun`].
#[inline(always)]
pub(crate) fn request<F: Frame, T: Tables>(
    frame: &mut F,
    packet: &Packet<T::Address>,
    connection: Connection,
    tables: &mut T,
) -> Result<Verdict, Verdict> {
    match connection.method {
        Method::DIRECT_ROUTE => dr::request(frame, packet, connection, tables),
        Method::MASQ => nat::request(frame, packet, connection, tables),
        _ => Err(Verdict::Drop(Reason::Broken)),
    }
}
