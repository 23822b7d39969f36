//! Errors of the real servers' side, about what the director forwarded: to the client.

use lvs_common::{
    conntable,
    map::Method,
    verdict::{Reason, Verdict},
    wire::Frame,
};

use super::{Error, find};
use crate::{
    account,
    forward::send,
    ip::{End, Ip as _},
    tables::{Route, Tables},
};

/// Sends it; none if there is no connection.
#[inline(always)]
pub(super) fn relay<F: Frame, T: Tables>(
    frame: &mut F,
    error: &Error<T::Address>,
    tables: &mut T,
) -> Result<Option<Verdict>, Verdict> {
    if tables.is_masqueraded(error.about.destination)
        && let Some(told) = masqueraded(frame, error, tables)?
    {
        return Ok(Some(told));
    }
    if tables.is_vip(error.about.destination) {
        return Ok(direct(error, tables));
    }
    Ok(None)
}

/// The client does not know of the real server: it is the VIP that complains, about a packet to itself.
#[inline(always)]
fn masqueraded<F: Frame, T: Tables>(
    frame: &mut F,
    error: &Error<T::Address>,
    tables: &mut T,
) -> Result<Option<Verdict>, Verdict> {
    let Some(reply) = error.about.turned() else { return Ok(None) };
    let (client, peer) = reply.reply_key(tables);
    let hit = conntable::find_reply(&tables.conns(), tables.hashes(client), client, peer)
        .filter(|hit| hit.entry.method() == Method::MASQ)
        .filter(|hit| !hit.entry.is_expired(tables.now()));
    let Some(hit) = hit else { return Ok(None) };
    let Some(address) = tables.virtual_address(&hit, &reply) else { return Ok(None) };
    let (_, port) = hit.entry.virtual_end();
    error.verify(frame)?;
    account::reply(&error.packet(), hit.entry.dest(), tables);
    let hop = match tables.route(address, error.ip.destination) {
        Route::Hop(hop) => hop,
        Route::NoNeighbour => {
            error.rewrite(frame, End::Source, address, port)?;
            return Ok(Some(Verdict::Pass(Reason::ByStack)));
        }
        Route::None => return Err(Verdict::Drop(Reason::NoRoute)),
    };
    T::Address::age(frame)?;
    error.rewrite(frame, End::Source, address, port)?;
    send::out(frame, &hop).map(Some)
}

/// The packet was the client's own: the stack routes what is said about it, but it counts.
#[inline(always)]
fn direct<T: Tables>(error: &Error<T::Address>, tables: &mut T) -> Option<Verdict> {
    let hit = find(&error.about.packet()?, tables)?;
    account::reply(&error.packet(), hit.entry.dest(), tables);
    Some(Verdict::Pass(Reason::ByStack))
}
