//! The tables of the schedulers that hash.

use lvs_common::{
    map::Family,
    sched::{Kind, dh, mh, sh, table::EMPTY},
};

use crate::model::{self, VirtualService};

/// Buckets that a table's place is counted in: it begins at a whole word of the map.
pub const UNIT: u32 = 4;

/// The scheduler's table over a service's real servers; none for a scheduler without.
#[must_use]
pub fn build(kind: Kind, service: &VirtualService) -> Vec<u16> {
    let mut table = match kind {
        Kind::Sh => source(service),
        Kind::Dh => destination(service),
        Kind::Mh => maglev(service),
        _ => Vec::new(),
    };
    table.resize(table.len().next_multiple_of(UNIT as usize), EMPTY);
    table
}

/// Units of buckets that a scheduler's table takes.
#[must_use]
pub const fn units(kind: Kind) -> u32 {
    match kind {
        Kind::Sh | Kind::Dh => whole(sh::SIZE),
        Kind::Mh => whole(mh::SIZE),
        _ => 0,
    }
}

/// Units of so many buckets.
#[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
const fn whole(buckets: usize) -> u32 {
    (buckets as u32).div_ceil(UNIT)
}

fn source(service: &VirtualService) -> Vec<u16> {
    let weights: Vec<u32> = service.pool.iter().map(|real| real.dest.weight).collect();
    let mut table = [EMPTY; sh::SIZE];
    sh::build(&weights, &mut table);
    table.to_vec()
}

fn destination(service: &VirtualService) -> Vec<u16> {
    let mut table = [EMPTY; sh::SIZE];
    dh::build(service.pool.len(), &mut table);
    table.to_vec()
}

fn maglev(service: &VirtualService) -> Vec<u16> {
    let family = match service.service.id.family() {
        model::Family::Ipv4 => Family::V4,
        model::Family::Ipv6 => Family::V6,
    };
    let server = |real: &model::PoolEntry| mh::Server {
        address: family.fold(real.dest.addr.address.into()).get(),
        port: real.dest.addr.port,
        last_weight: real.last_weight,
    };
    let servers: Vec<mh::Server> = service.pool.iter().map(server).collect();
    let mut scratch = vec![mh::Walk::default(); servers.len()];
    let mut table = [EMPTY; mh::SIZE];
    // A pool has fewer real servers than the table buckets, and the scratch is as long as the pool.
    mh::build(&servers, &mut scratch, &mut table)
        .map_or_else(|_too_many| Vec::new(), |()| table.to_vec())
}
