//! Locality-based least connection with replication.
//!
//! ```text
//! the least loaded (wlc) of the set that the destination address has, if it is not busy;
//! else wlc among all, added to the set
//! busy: active > weight, while some real server of the service has active < weight / 2
//! a set of several that has not changed for longer than lblcr_expiration loses its most loaded
//! ```
//!
//! `ip_vs_lblcr.c`: `ip_vs_lblcr_schedule`, `ip_vs_dest_set_min`, `ip_vs_dest_set_max`.

use core::ops::ControlFlow;

use super::{
    least::overhead,
    locality::{Locality, Remembered, is_busy},
    pool::{Candidate, Scan},
    select::{NOBODY, Opaque, less, number, pick, position},
    wlc::{self, Wlc},
};

/// Chooses.
#[inline(always)]
pub fn choose<P: Locality>(pool: &P) -> Option<u32> {
    let now_ns = pool.now_ns();
    let remembered = pool.remembered();
    if let Some(set) = remembered {
        set.touch(now_ns);
        let least = pool.scan_remembered(set, Wlc::default()).chosen();
        let least = least.and_then(|place| set.get(place)).and_then(|id| pool.position(id));
        let least = number(least);
        shrink(set, now_ns, pool);
        if let Some(position) = position(least)
            && let Some(candidate) = pool.candidate(position)
            && !is_busy(candidate, pool)
        {
            return Some(position);
        }
    }
    let position = wlc::choose(pool)?;
    if let Some(id) = pool.id(position) {
        match remembered {
            Some(set) => set.insert::<P::Opaque>(id, now_ns),
            None => pool.begin().into_iter().for_each(|set| set.replace(id, now_ns)),
        }
    }
    Some(position)
}

/// Takes the most loaded out of a set that has not changed for long.
#[inline(always)]
fn shrink<P: Locality>(set: &Remembered, now_ns: u64, pool: &P) {
    if set.get(1).is_some()
        && set.unchanged_ns(now_ns) > pool.expiration_ns()
        && let Some(place) = pool.scan_remembered(set, MostLoaded::default()).chosen()
    {
        set.erase::<P::Opaque>(place, now_ns);
    }
}

/// The first with the most connections per weight, whatever its threshold says.
struct MostLoaded {
    load: u64,
    weight: u64,
    position: u64,
}

impl Default for MostLoaded {
    #[inline(always)]
    fn default() -> Self {
        Self { load: 0, weight: 0, position: NOBODY.into() }
    }
}

impl Scan for MostLoaded {
    #[inline(always)]
    fn visit<O: Opaque>(&mut self, position: u32, of: Candidate) -> ControlFlow<()> {
        let (load, weight) = (overhead(of), u64::from(of.weight));
        let theirs = load.wrapping_mul(self.weight);
        let more = less::<O>(self.load.wrapping_mul(weight), theirs);
        let take = (more | less::<O>(self.weight, 1)) & less::<O>(0, weight);
        self.load = pick(take, load, self.load);
        self.weight = pick(take, weight, self.weight);
        self.position = pick(take, u64::from(position), self.position);
        ControlFlow::Continue(())
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "it came from a u32")]
    fn chosen(&self) -> Option<u32> {
        position(self.position as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Cache, *};

    #[test]
    fn a_hot_address_gets_more_servers() {
        let mut cache = Cache::added(&[(4, 3), (5, 3), (6, 3)]);
        assert_eq!(cache.connect_each(14, choose), [6, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, 4, 5]);
        assert_eq!(cache.ids(), [4, 5, 6]);
    }

    #[test]
    fn a_set_at_rest_loses_its_most_loaded() {
        let mut cache = Cache::added(&[(4, 3), (5, 3), (6, 3)]);
        cache.connect_each(9, choose);
        assert_eq!(cache.ids(), [4, 5, 6]);
        cache.servers.candidate_mut(6).active = 0;
        cache.pass(cache.expiration_ns());
        assert_eq!(cache.connect_each(1, choose), [6]);
        assert_eq!(cache.ids(), [4, 5, 6]);
        cache.pass(1);
        assert_eq!(cache.connect_each(1, choose), [4]);
        assert_eq!(cache.ids(), [4, 6]);
        assert_eq!(cache.connect_each(1, choose), [6]);
        assert_eq!(cache.ids(), [4, 6]);
    }

    #[test]
    fn overloaded_quiesced_and_deleted_members_wait() {
        let mut cache = Cache::added(&[(4, 3), (5, 3), (6, 3)]);
        cache.connect_each(9, choose);
        cache.servers.candidate_mut(4).overloaded = 1;
        cache.servers.candidate_mut(5).weight = 0;
        cache.servers.edit(|list| list.retain(|server| server.0 != 6), |_, _, cursor| cursor);
        assert_eq!(cache.connect_each(1, choose), [0]);
        cache.servers.candidate_mut(4).overloaded = 0;
        assert_eq!(cache.connect_each(1, choose), [4]);
    }
}
