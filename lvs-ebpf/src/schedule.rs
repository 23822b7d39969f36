//! 4. Which real server does it go to? [`Service`] → dest slot (`ip_vs_schedule`).

use lvs_common::{
    map::Service,
    sched::{self, Flags, Hint, Kind, Locality, wrr},
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

/// The position in a service's pool that its scheduler chooses.
#[inline(always)]
pub fn choose<P: Locality>(service: &Service, hint: Hint, pool: &P) -> Option<u32> {
    by(Kind::try_from(service.scheduler).ok()?, service, hint, pool)
}

/// The position that this scheduler chooses.
#[inline(always)]
pub fn by<P: Locality>(kind: Kind, service: &Service, hint: Hint, pool: &P) -> Option<u32> {
    let rounds = wrr::Params { step: service.step, top: service.top };
    sched::choose(kind, Flags(service.scheduler_flags), hint, rounds, pool)
}
