//! Locality-based least connection.
//!
//! ```text
//! where the destination address went before, if that has weight > 0 and is not busy;
//! else wlc, remembered
//! busy: active > weight, while some real server of the service has active < weight / 2
//! ```
//!
//! For clusters of caches, under a fwmark service: each address is kept where its content is. The
//! threshold's flag does not count against the remembered real server, only in wlc's choice.
//!
//! `ip_vs_lblc.c`: `ip_vs_lblc_schedule`, `is_overloaded`.

use super::{
    locality::{Locality, is_busy},
    wlc,
};

/// Chooses.
#[inline(always)]
pub fn choose<P: Locality>(pool: &P) -> Option<u32> {
    let now_ns = pool.now_ns();
    let remembered = pool.remembered();
    if let Some(known) = remembered {
        known.touch(now_ns);
        if let Some(position) = known.get(0).and_then(|id| pool.position(id))
            && let Some(candidate) = pool.candidate(position)
            && candidate.weight > 0
            && !is_busy(candidate, pool)
        {
            return Some(position);
        }
    }
    let position = wlc::choose(pool)?;
    if let Some(known) = remembered.or_else(|| pool.begin())
        && let Some(id) = pool.id(position)
    {
        known.replace(id, now_ns);
    }
    Some(position)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Cache, *};

    #[test]
    fn an_address_stays_until_its_server_is_busy_and_another_bored() {
        let mut cache = Cache::added(&[(4, 3), (5, 3), (6, 3)]);
        assert_eq!(cache.connect_each(14, choose), [6, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn quiesced_or_deleted_it_goes_elsewhere_and_stays_there() {
        let mut cache = Cache::added(&[(4, 3), (5, 3), (6, 3)]);
        assert_eq!(cache.connect_each(1, choose), [6]);
        cache.servers.candidate_mut(6).weight = 0;
        assert_eq!(cache.connect_each(2, choose), [5, 5]);
        cache.servers.edit(|list| list.retain(|server| server.0 != 5), |_, _, cursor| cursor);
        assert_eq!(cache.connect_each(1, choose), [4]);
        cache.servers.candidate_mut(6).weight = 3;
        assert_eq!(cache.connect_each(1, choose), [4]);
    }

    #[test]
    fn a_threshold_does_not_move_what_is_remembered() {
        let mut cache = Cache::added(&[(4, 3), (5, 3)]);
        assert_eq!(cache.connect_each(1, choose), [5]);
        cache.servers.candidate_mut(5).overloaded = 1;
        assert_eq!(cache.connect_each(1, choose), [5]);
        cache.forget();
        assert_eq!(cache.connect_each(1, choose), [4]);
    }

    #[test]
    fn nobody_to_choose_is_not_remembered() {
        let mut cache = Cache::added(&[(4, 0)]);
        assert_eq!(cache.connect_each(1, choose), [0]);
        assert!(cache.remembered().is_none());
    }
}
