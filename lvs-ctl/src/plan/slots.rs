//! Numbers of places in a map: which are free, and when one may be used again.

/// Places 0 to capacity, one at a time.
///
/// A place that is given up rests until two calls of [`rest`](Self::rest): a packet under way may still read
/// it.
#[derive(Debug)]
pub struct Slots {
    next: u32,
    capacity: u32,
    free: Vec<u32>,
    resting: [Vec<u32>; 2],
}

impl Slots {
    /// All places from `first` up to `capacity` are free.
    #[must_use]
    pub fn new(first: u32, capacity: u32) -> Self {
        Self { next: first, capacity, free: Vec::new(), resting: [Vec::new(), Vec::new()] }
    }

    /// All places are free but those in `used`.
    #[must_use]
    pub fn adopted(first: u32, capacity: u32, used: impl IntoIterator<Item = u32>) -> Self {
        let mut taken: Vec<u32> = used.into_iter().filter(|slot| *slot >= first).collect();
        taken.sort_unstable();
        let next = taken.last().map_or(first, |last| last + 1);
        let free = (first..next).filter(|slot| taken.binary_search(slot).is_err()).collect();
        Self { next, free, ..Self::new(first, capacity) }
    }

    /// A free place, if there is one.
    pub fn take(&mut self) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        let slot = self.next;
        (slot < self.capacity).then(|| {
            self.next += 1;
            slot
        })
    }

    /// Gives a place up.
    pub fn give(&mut self, slot: u32) {
        self.resting[0].push(slot);
    }

    /// Frees what was given up before the last call.
    pub fn rest(&mut self) {
        let [young, old] = &mut self.resting;
        self.free.append(old);
        std::mem::swap(young, old);
    }

    /// Places in use, the resting ones included.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.next - u32::try_from(self.free.len()).unwrap_or(u32::MAX)
    }

    /// Places in all.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_given_up_rests_before_it_is_used_again() {
        let mut slots = Slots::new(0, 1);
        assert_eq!(slots.take(), Some(0));
        slots.give(0);
        assert_eq!(slots.take(), None);
        slots.rest();
        assert_eq!(slots.take(), None);
        slots.rest();
        assert_eq!(slots.take(), Some(0));
    }

    #[test]
    fn adopted_places_are_not_given_out() {
        let mut slots = Slots::adopted(1, 6, [2, 4]);
        let taken: Vec<_> = std::iter::from_fn(|| slots.take()).collect();
        assert_eq!(taken, [3, 1, 5]);
    }
}
