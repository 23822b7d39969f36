//! Weighted round robin.
//!
//! ```text
//! step = gcd of the weights > 0, or 1          top = largest weight - step + 1
//! the first after the last chosen, to the end of the list, with weight >= current and not
//! overloaded; at the end: current -= step, from <= 0 back to top, and again from the head
//! ```
//!
//! So in one round every real server is chosen weight / step times, the heavy ones first. When the
//! last round (current <= step) has passed over every real server, nothing is chosen.
//!
//! IPVS walks every round there is, under a lock, and with a heavy real server overloaded that can
//! be 2^31 rounds. Here the empty rounds are leapt over: every weight is a multiple of `step`, and
//! every `current` is one more than a multiple, so the next round that chooses anybody is the one
//! of the heaviest available weight, and it chooses the first of that weight. Two searches at most,
//! the same choices.
//!
//! The cursor's low half is 1 + the position last chosen (0: the head of the list), its high half
//! `current`.
//!
//! `ip_vs_wrr.c`: `ip_vs_wrr_schedule`, `ip_vs_wrr_init_svc`, `ip_vs_wrr_dest_changed`.

use super::{
    TRIES,
    heaviest::{Available, Heaviest},
    pool::{Pool, Scan},
    select::{NOBODY, number, position},
};

/// What the controller reckons from the weights of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// From one round to the next; at least 1 (`di`).
    pub step: u32,
    /// The first round; 0 when no weight is above 0 (`mw`).
    pub top: u32,
}

/// Reckons the rounds of these weights, quiesced and overloaded real servers included.
#[must_use]
pub fn params(weights: impl IntoIterator<Item = u32>) -> Params {
    let (common, largest) = weights
        .into_iter()
        .fold((0, 0), |(common, largest), weight| (gcd(common, weight), weight.max(largest)));
    let step = common.max(1);
    Params { step, top: largest.saturating_sub(step - 1) }
}

/// The cursor of a service that takes this scheduler up with these real servers: the first round,
/// from the head of the list.
#[must_use]
pub const fn start(params: Params) -> u64 {
    cursor(0, params.top)
}

/// Carries the cursor over one edit, addition or deletion of a real server, whatever it changed:
/// back to the head of the list, in the same round where there still is one.
///
/// A service that is built one real server after the other therefore stays in the round that the
/// first one alone has: the lowest.
#[must_use]
pub fn reseat(now: Params, cursor_before: u64) -> u64 {
    let round = round(cursor_before);
    if round == 0 || round > now.top {
        start(now)
    } else {
        let down = round.checked_rem(now.step).unwrap_or(0);
        cursor(0, if now.step > 1 { round - down + 1 } else { round })
    }
}

/// Chooses, and moves the cursor.
#[inline(always)]
pub fn choose<P: Pool>(params: Params, pool: &P) -> Option<u32> {
    let mut chosen = NOBODY;
    for _ in 0..TRIES {
        let seen = pool.cursor();
        let (found, moved) = walk(params, seen, pool);
        chosen = number(found);
        if moved == seen || pool.swap_cursor(seen, moved) {
            break;
        }
    }
    position(chosen)
}

/// One choice: the position and the cursor after it.
#[inline(always)]
fn walk<P: Pool>(params: Params, seen: u64, pool: &P) -> (Option<u32>, u64) {
    let len = pool.len();
    if params.top == 0 || len == 0 {
        return (None, seen);
    }
    let round = round(seen);
    let from = last(seen).min(len);
    let rest = pool.seek(from, len - from, Heaviest::<Available>::new(round));
    if let Some(position) = rest.reached() {
        return (Some(position), cursor(position + 1, round));
    }

    let is_lowest = round <= params.step;
    let next = if is_lowest { params.top } else { round - params.step };
    // Not a scan: the first is mostly it.
    let whole = pool.seek(0, pool.len(), Heaviest::<Available>::new(next));
    let Some(position) = whole.chosen() else {
        // All were passed over. The kernel ends where its walk does: in the lowest round at the
        // real server where it began, else at the end of the list, about to begin with the top.
        return (None, if is_lowest && from > 0 { seen } else { start(params) });
    };
    #[expect(clippy::cast_possible_truncation, reason = "a weight is a u32")]
    let heaviest = (whole.weight() as u32).saturating_sub(params.step - 1);
    (Some(position), cursor(position + 1, next.min(heaviest)))
}

#[inline(always)]
const fn cursor(last: u32, round: u32) -> u64 {
    (round as u64) << 32 | last as u64
}

/// 1 + the position last chosen.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half")]
const fn last(cursor: u64) -> u32 {
    cursor as u32
}

/// The weight that a real server must have to be chosen (`cw`).
#[inline(always)]
const fn round(cursor: u64) -> u32 {
    (cursor >> 32) as u32
}

pub(super) const fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{super::testing::Servers, *};

    /// A service built one real server after the other, with its cursor carried along.
    struct Service(Servers);

    impl Service {
        fn built(of: &[(u32, u32)]) -> Self {
            let mut service = Self(Servers::added(&[]));
            service.0.set_cursor(start(params([])));
            for &server in of {
                service.edit(|list| list.insert(0, server));
            }
            service
        }

        fn edit(&mut self, change: impl FnOnce(&mut Vec<(u32, u32)>)) {
            self.0.edit(change, |_, _, cursor| cursor);
            self.0.set_cursor(reseat(self.params(), self.0.cursor()));
        }

        fn weight(&mut self, id: u32, weight: u32) {
            self.edit(|list| list.iter_mut().find(|server| server.0 == id).unwrap().1 = weight);
        }

        fn params(&self) -> Params {
            params(self.0.weights())
        }

        fn chosen(&self, times: usize) -> Vec<u32> {
            let one = |_| choose(self.params(), &self.0).map_or(0, |position| self.0.id(position));
            (0..times).map(one).collect()
        }
    }

    #[test]
    fn begins_in_the_lowest_round_when_built_up() {
        let service = Service::built(&[(1, 4), (2, 3), (3, 2)]);
        let expected = [3, 2, 1, 1, 2, 1, 3, 2, 1, 3, 2, 1, 1, 2, 1, 3, 2, 1];
        assert_eq!(service.chosen(expected.len()), expected);
        assert_eq!(Service::built(&[(1, 3), (2, 1)]).chosen(8), [2, 1, 1, 1, 2, 1, 1, 1]);
        let service = Service::built(&[(1, 5), (2, 1), (3, 1)]);
        assert_eq!(service.chosen(10), [3, 2, 1, 1, 1, 1, 1, 3, 2, 1]);
    }

    #[test]
    fn steps_by_the_common_divisor() {
        let service = Service::built(&[(1, 4), (2, 2)]);
        assert_eq!(service.params(), Params { step: 2, top: 3 });
        assert_eq!(service.chosen(6), [2, 1, 1, 2, 1, 1]);
    }

    #[test]
    fn begins_at_the_top_when_it_takes_a_service_over() {
        let servers = Servers::added(&[(1, 1), (2, 3)]);
        let params = params(servers.weights());
        servers.set_cursor(start(params));
        let one = |_| servers.id(choose(params, &servers).unwrap());
        assert_eq!((0..5).map(one).collect::<Vec<_>>(), [2, 2, 2, 1, 2]);
    }

    #[test]
    fn edits_keep_the_round_and_go_to_the_head() {
        let mut service = Service::built(&[(1, 4), (2, 3), (3, 2)]);
        service.chosen(12);
        service.weight(2, 1);
        assert_eq!(service.chosen(14), [3, 2, 1, 1, 1, 3, 1, 3, 2, 1, 1, 1, 3, 1]);
        service.weight(3, 0);
        assert_eq!(service.chosen(12), [1, 2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn no_weight_no_choice() {
        let service = Service::built(&[(1, 0), (2, 0)]);
        assert_eq!(service.chosen(2), [0, 0]);
        assert_eq!(Service::built(&[]).chosen(1), [0]);
    }

    #[test]
    fn leaps_over_the_rounds_of_an_overloaded_heavy_one() {
        let mut service = Service::built(&[(1, 2_000_000_000), (2, 2)]);
        assert_eq!(service.chosen(3), [2, 1, 1]);
        service.0.candidate_mut(1).overloaded = 1;
        assert_eq!(service.chosen(3), [2, 2, 2]);
    }

    #[test]
    fn ends_when_all_are_overloaded_and_goes_on_afterwards() {
        let mut service = Service::built(&[(1, 2), (2, 1)]);
        assert_eq!(service.chosen(1), [2]);
        (1..=2).for_each(|id| service.0.candidate_mut(id).overloaded = 1);
        assert_eq!(service.chosen(2), [0, 0]);
        (1..=2).for_each(|id| service.0.candidate_mut(id).overloaded = 0);
        assert_eq!(service.chosen(4), [1, 1, 2, 1]);
    }
}
