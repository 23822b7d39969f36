//! Round robin.
//!
//! ```text
//! the first after the last chosen, in the ring, with weight > 0 and not overloaded
//! ```
//!
//! Weights count for nothing else. None such: nothing is chosen and the place in the ring is kept.
//! The cursor is 1 + the position last chosen; 0: the head of the list.
//!
//! `ip_vs_rr.c`: `ip_vs_rr_schedule`, `ip_vs_rr_del_dest`.

use super::{
    TRIES,
    heaviest::{Available, Heaviest},
    pool::{Pool, Scan},
    select::{number, position},
};

/// The cursor of a service new to this scheduler.
pub const START: u64 = 0;

/// Chooses, and moves the cursor onto what was chosen.
#[inline(always)]
pub fn choose<P: Pool>(pool: &P) -> Option<u32> {
    let mut tries = 0;
    loop {
        let seen = pool.cursor();
        let found = pool.seek(next(seen, pool.len()), pool.len(), Heaviest::<Available>::new(1));
        let chosen = number(found.chosen());
        let position = position(chosen)?;
        tries += 1;
        // verifier: up to 6.7 the way back to a loop's head must be a jump, as it is from here
        if pool.swap_cursor(seen, u64::from(position) + 1) || tries == TRIES {
            return Some(position);
        }
    }
}

/// Carries the cursor over one edit of the list: it stays on its real server, or, when that was
/// deleted, goes to the one before it (to the head of the list when there is none).
///
/// Lists hold the real servers' stable ids, newest first. Not needed when weights are edited.
#[must_use]
pub fn reseat(old: &[u32], new: &[u32], cursor: u64) -> u64 {
    let last = usize::try_from(cursor).unwrap_or(usize::MAX).min(old.len());
    for id in old.iter().take(last).rev() {
        if let Some(position) = new.iter().position(|other| other == id) {
            return position as u64 + 1;
        }
    }
    START
}

/// Where the search begins.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "below a u32")]
fn next(cursor: u64, len: u32) -> u32 {
    if cursor < u64::from(len) { cursor as u32 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Servers, *};

    fn chosen(servers: &Servers, times: usize) -> Vec<u32> {
        (0..times).map(|_| choose(servers).map_or(0, |position| servers.id(position))).collect()
    }

    #[test]
    fn newest_first_then_round_the_ring() {
        let servers = Servers::added(&[(1, 1), (2, 2), (3, 3)]);
        assert_eq!(chosen(&servers, 7), [3, 2, 1, 3, 2, 1, 3]);
    }

    #[test]
    fn quiesced_and_overloaded_are_passed_over() {
        let mut servers = Servers::added(&[(1, 1), (2, 0), (3, 1)]);
        assert_eq!(chosen(&servers, 3), [3, 1, 3]);
        servers.candidate_mut(1).overloaded = 1;
        assert_eq!(chosen(&servers, 2), [3, 3]);
    }

    #[test]
    fn with_none_available_the_place_is_kept() {
        let mut servers = Servers::added(&[(1, 1), (2, 1), (3, 1)]);
        assert_eq!(chosen(&servers, 1), [3]);
        (1..=3).for_each(|id| servers.candidate_mut(id).weight = 0);
        assert_eq!(chosen(&servers, 2), [0, 0]);
        (1..=3).for_each(|id| servers.candidate_mut(id).weight = 1);
        assert_eq!(chosen(&servers, 2), [2, 1]);
    }

    #[test]
    fn no_servers_no_choice() {
        assert_eq!(choose(&Servers::added(&[])), None);
    }

    #[test]
    fn an_added_server_waits_for_its_turn_and_a_deleted_one_leaves_its_place() {
        let mut servers = Servers::added(&[(1, 1), (2, 1), (3, 1)]);
        assert_eq!(chosen(&servers, 7), [3, 2, 1, 3, 2, 1, 3]);
        servers.edit(|list| list.insert(0, (4, 1)), reseat);
        assert_eq!(chosen(&servers, 6), [2, 1, 4, 3, 2, 1]);
        servers.edit(|list| list.retain(|server| server.0 != 2), reseat);
        assert_eq!(chosen(&servers, 6), [4, 3, 1, 4, 3, 1]);
    }

    #[test]
    fn deleting_the_last_chosen_steps_back() {
        assert_eq!(reseat(&[3, 2, 1], &[3, 1], 2), 1);
        assert_eq!(reseat(&[3, 2, 1], &[2, 1], 1), START);
        assert_eq!(reseat(&[3, 2, 1], &[2, 1], 2), 1);
        assert_eq!(reseat(&[3, 2, 1], &[], 3), START);
        assert_eq!(reseat(&[], &[1], START), START);
        assert_eq!(reseat(&[3, 2, 1], &[3, 2, 1], u64::MAX), 3);
    }
}
