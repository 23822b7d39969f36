//! 4. Which real server does it go to? [`Service`] → [`Chosen`] (`ip_vs_schedule`).

use lvs_common::{
    map::{Method, Service},
    net::{Be16, Be32},
    sched::{Flags, Hint, Kind, Pool, dh, fo, lc, mh, nq, ovf, rr, sed, sh, wlc, wrr},
    verdict::{Reason, Verdict},
};

use crate::{packet::Packet, tables::Tables};

/// The real server that a new connection goes to.
#[derive(Clone, Copy)]
pub(crate) struct Chosen {
    /// Its slot.
    pub(crate) dest: u32,
    /// Its address.
    pub(crate) address: Be32,
    /// Its port; 0 takes the packet's.
    pub(crate) port: Be16,
    /// How packets reach it.
    pub(crate) method: Method,
    /// Slot of its next hop.
    pub(crate) next_hop: u32,
}

#[inline(always)]
pub(crate) fn schedule<T: Tables>(
    packet: &Packet,
    service: &Service,
    tables: &T,
) -> Result<Chosen, Verdict> {
    const NONE: Verdict = Verdict::Drop(Reason::NoDest);
    const BROKEN: Verdict = Verdict::Drop(Reason::Broken);

    let position = tables.choose(service, packet).ok_or(NONE)?;
    let slot = tables.dest_at(service, position).ok_or(BROKEN)?;
    let dest = tables.dest(slot).ok_or(BROKEN)?;
    Ok(Chosen {
        dest: slot,
        address: dest.address.low(),
        port: dest.port,
        method: dest.method,
        next_hop: dest.next_hop,
    })
}

/// The position in a service's pool that its scheduler chooses; none for a scheduler that the
/// program does not have.
#[inline(always)]
pub fn choose<P: Pool>(service: &Service, hint: Hint, pool: &P) -> Option<u32> {
    let flags = Flags(service.scheduler_flags);
    match Kind::try_from(service.scheduler).ok()? {
        Kind::Rr => rr::choose(pool),
        Kind::Wrr => wrr::choose(wrr::Params { step: service.step, top: service.top }, pool),
        Kind::Lc => lc::choose(pool),
        Kind::Wlc => wlc::choose(pool),
        Kind::Dh => dh::choose(hint, pool),
        Kind::Sh => sh::choose(flags, hint, pool),
        Kind::Sed => sed::choose(pool),
        Kind::Nq => nq::choose(pool),
        Kind::Fo => fo::choose(pool),
        Kind::Ovf => ovf::choose(pool),
        Kind::Mh => mh::choose(flags, hint, pool),
        Kind::Lblc | Kind::Lblcr | Kind::Twos => None,
    }
}
