//! 4. Which real server does it go to? [`Service`] → dest slot (`ip_vs_schedule`).

use lvs_common::{
    map::Service,
    sched::{Flags, Hint, Kind, Pool, dh, fo, lc, mh, nq, ovf, rr, sed, sh, wlc, wrr},
    verdict::{Reason, Verdict},
};

use crate::{packet::Packet, tables::Tables};

/// The slot of the real server that a new connection goes to.
#[inline(always)]
pub(crate) fn schedule<T: Tables>(
    packet: &Packet<T::Address>,
    service: &Service,
    tables: &T,
) -> Result<u32, Verdict> {
    const NONE: Verdict = Verdict::Drop(Reason::NoDest);
    const BROKEN: Verdict = Verdict::Drop(Reason::Broken);

    let position = tables.choose(service, packet).ok_or(NONE)?;
    tables.dest_at(service, position).ok_or(BROKEN)
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
