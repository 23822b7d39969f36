//! Errors of the client's side, about what the VIP sent: to the real server that did.

use lvs_common::{map::Method, net::Be16, verdict::Verdict, wire::Frame};

use super::{BROKEN, Error, find};
use crate::{
    Step, account,
    connection::Connection,
    forward::{self, send},
    ip::{End, Ip as _},
    tables::Tables,
};

/// Sends it by the connection's method; none if there is no connection.
#[inline(always)]
pub(super) fn relay<F: Frame, T: Tables>(
    frame: &mut F,
    error: &Error<T::Address>,
    tables: &mut T,
) -> Result<Option<Step<T::Address>>, Verdict> {
    if !tables.is_vip(error.ip.destination) {
        return Ok(None);
    }
    let Some(request) = error.about.turned() else { return Ok(None) };
    let Some(hit) = find(&request, tables) else { return Ok(None) };
    let (slot, method) = (hit.entry.dest(), hit.entry.method());
    let dest = tables.dest(slot).ok_or(BROKEN)?;
    let (next_hop, keeps_port) = (dest.next_hop, hit.entry.keeps_port());
    let (address, port) = (T::Address::narrow(dest.address), dest.port);
    let connection = Connection { dest: slot, next_hop, method, keeps_port };
    let packet = error.packet();
    account::request(&packet, slot, tables);
    match method {
        Method::TUNNEL => Ok(Some(Step::Wraps(packet, connection))),
        Method::MASQ => {
            error.verify(frame)?;
            let keeps_port = keeps_port || port == Be16::new(0);
            let port = if keeps_port { request.destination_port } else { port };
            let hop = send::hop(next_hop, tables)?;
            T::Address::age(frame)?;
            error.rewrite(frame, End::Destination, address, port)?;
            send::out(frame, hop).map(|verdict| Some(Step::Done(verdict)))
        }
        _ => forward::request(frame, &packet, connection, tables)
            .map(|verdict| Some(Step::Done(verdict))),
    }
}
