//! Where a scheduler goes on after an edit of its service (the kernel's hooks on a change of real servers).

use lvs_common::sched::{Kind, rr, wrr};

/// A real server in a list: its slot, its weight and, greater for newer ones, its serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Slot in `DESTS`.
    pub slot: u32,
    /// Weight.
    pub weight: u32,
    /// Order of addition.
    pub serial: u64,
    /// How often it was edited since. wrr goes back to the head of its list at every edit, also at one
    /// that changes nothing.
    pub edits: u64,
}

/// The cursor of a service that has just begun with this scheduler, newest real server first.
#[must_use]
pub fn begun(kind: Kind, list: &[Listed]) -> u64 {
    match kind {
        Kind::Wrr => wrr::start(params(list)),
        _ => rr::START,
    }
}

/// The cursor after the list has become another, one edit after the other: deletions, then edited ones,
/// then additions in their order.
///
/// The order matters: a wrr service that is built one real server after the other begins in its
/// lowest round, one that is taken over whole in its highest.
#[must_use]
pub fn carried(kind: Kind, before: &[Listed], after: &[Listed], cursor: u64) -> u64 {
    let mut steps = Steps { kind, list: before.to_vec(), cursor };
    for gone in before {
        if !after.iter().any(|kept| kept.serial == gone.serial) {
            steps.edit(|list| list.retain(|listed| listed.serial != gone.serial));
        }
    }
    for now in after.iter().rev() {
        match steps.list.iter().position(|listed| listed.serial == now.serial) {
            Some(place) if steps.list[place] == *now => {}
            Some(place) => steps.edit(|list| list[place] = *now),
            None => steps.edit(|list| list.insert(0, *now)),
        }
    }
    steps.cursor
}

struct Steps {
    kind: Kind,
    list: Vec<Listed>,
    cursor: u64,
}

impl Steps {
    fn edit(&mut self, edit: impl FnOnce(&mut Vec<Listed>)) {
        let slots = |list: &[Listed]| list.iter().map(|listed| listed.slot).collect::<Vec<_>>();
        let before = slots(&self.list);
        edit(&mut self.list);
        self.cursor = match self.kind {
            Kind::Rr => rr::reseat(&before, &slots(&self.list), self.cursor),
            Kind::Wrr => wrr::reseat(params(&self.list), self.cursor),
            _ => self.cursor,
        };
    }
}

/// wrr's rounds over a list.
#[must_use]
pub fn params(list: &[Listed]) -> wrr::Params {
    wrr::params(list.iter().map(|listed| listed.weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newest first; the slot is the serial number.
    fn list(of: &[(u32, u32)]) -> Vec<Listed> {
        let listed = |&(slot, weight)| Listed { slot, weight, serial: u64::from(slot), edits: 0 };
        of.iter().map(listed).collect()
    }

    #[test]
    fn built_at_once_is_as_built_one_by_one() {
        let whole = list(&[(3, 2), (2, 3), (1, 4)]);
        let mut cursor = carried(Kind::Wrr, &[], &whole[2..], begun(Kind::Wrr, &[]));
        cursor = carried(Kind::Wrr, &whole[2..], &whole[1..], cursor);
        cursor = carried(Kind::Wrr, &whole[1..], &whole, cursor);
        assert_eq!(carried(Kind::Wrr, &[], &whole, begun(Kind::Wrr, &[])), cursor);
        assert_ne!(begun(Kind::Wrr, &whole), cursor);
    }

    #[test]
    fn rr_keeps_its_place_when_another_is_added() {
        let before = list(&[(2, 1), (1, 1)]);
        let after = list(&[(3, 1), (2, 1), (1, 1)]);
        assert_eq!(carried(Kind::Rr, &before, &after, 1), 2);
    }

    #[test]
    fn wrr_goes_back_to_the_head_at_an_edit_that_changes_nothing() {
        let before = list(&[(2, 1), (1, 1)]);
        let mut after = before.clone();
        after[1].edits += 1;
        let whole = carried(Kind::Wrr, &[], &before, begun(Kind::Wrr, &[]));
        assert_eq!(carried(Kind::Wrr, &before, &after, whole + 1), whole);
    }

    #[test]
    fn an_unchanged_list_leaves_the_cursor_alone() {
        let same = list(&[(2, 5), (1, 3)]);
        for kind in [Kind::Rr, Kind::Wrr, Kind::Wlc] {
            assert_eq!(carried(kind, &same, &same, 77), 77);
        }
    }
}
