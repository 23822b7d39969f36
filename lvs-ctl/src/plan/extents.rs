//! Runs of places in a map: pools of real servers, tables of schedulers.

use std::collections::BTreeMap;

/// Runs of places within a capacity, the first that fits.
///
/// A run that is given up rests until two calls of [`rest`](Self::rest), as in
/// [`Slots`](super::slots::Slots).
#[derive(Debug)]
pub struct Extents {
    capacity: u32,
    /// Length of each free run by its first place; no two touch.
    free: BTreeMap<u32, u32>,
    resting: [Vec<(u32, u32)>; 2],
}

impl Extents {
    /// All places are free.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        let free = BTreeMap::from([(0, capacity)]);
        Self { capacity, free, resting: [Vec::new(), Vec::new()] }
    }

    /// A run of `len` places; an empty run is anywhere.
    pub fn take(&mut self, len: u32) -> Option<u32> {
        if len == 0 {
            return Some(0);
        }
        let (&first, &run) = self.free.iter().find(|(_, run)| **run >= len)?;
        self.free.remove(&first);
        if run > len {
            self.free.insert(first + len, run - len);
        }
        Some(first)
    }

    /// Takes just this run out of the free ones, if it lies in one: a run found in adopted maps.
    pub fn adopt(&mut self, first: u32, len: u32) -> bool {
        if len == 0 {
            return true;
        }
        let Some((&start, &run)) = self.free.range(..=first).next_back() else { return false };
        let (Some(end), run_end) = (first.checked_add(len), start + run) else { return false };
        if end > run_end {
            return false;
        }
        self.free.remove(&start);
        if start < first {
            self.free.insert(start, first - start);
        }
        if end < run_end {
            self.free.insert(end, run_end - end);
        }
        true
    }

    /// Gives a run up.
    pub fn give(&mut self, first: u32, len: u32) {
        if len > 0 {
            self.resting[0].push((first, len));
        }
    }

    /// Frees what was given up before the last call.
    pub fn rest(&mut self) {
        let [young, old] = &mut self.resting;
        for (first, len) in std::mem::take(old) {
            join(&mut self.free, first, len);
        }
        std::mem::swap(young, old);
    }

    /// Places in use, the resting ones included.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.capacity - self.free.values().sum::<u32>()
    }

    /// Places in all.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }
}

/// Adds a free run, together with those that it touches.
fn join(free: &mut BTreeMap<u32, u32>, mut first: u32, mut len: u32) {
    if let Some(after) = free.remove(&(first + len)) {
        len += after;
    }
    if let Some((&before, &run)) = free.range(..first).next_back()
        && before + run == first
    {
        free.remove(&before);
        first = before;
        len += run;
    }
    free.insert(first, len);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_that_are_given_up_become_one_run_again() {
        let mut extents = Extents::new(9);
        let runs = [3, 3, 3].map(|len| extents.take(len).unwrap());
        for run in [runs[0], runs[2], runs[1]] {
            extents.give(run, 3);
        }
        extents.rest();
        assert_eq!(extents.take(1), None);
        extents.rest();
        assert_eq!(extents.take(9), Some(0));
    }

    #[test]
    fn an_adopted_run_is_not_given_out() {
        let mut extents = Extents::new(8);
        assert!(extents.adopt(2, 3));
        assert!(!extents.adopt(4, 2));
        assert_eq!([extents.take(3), extents.take(2), extents.take(1)], [Some(5), Some(0), None]);
    }

    proptest! {
        #[test]
        fn runs_never_overlap(lens in prop::collection::vec((1u32..9, any::<bool>()), 1..60)) {
            let mut extents = Extents::new(64);
            let mut held: Vec<(u32, u32)> = Vec::new();
            for (len, gives) in lens {
                if gives && !held.is_empty() {
                    let (first, len) = held.swap_remove(0);
                    extents.give(first, len);
                    extents.rest();
                    extents.rest();
                } else if let Some(first) = extents.take(len) {
                    for (other, other_len) in &held {
                        prop_assert!(first + len <= *other || other + other_len <= first);
                    }
                    held.push((first, len));
                }
                let total: u32 = held.iter().map(|(_, len)| len).sum();
                prop_assert_eq!(extents.used(), total);
            }
        }
    }
}
