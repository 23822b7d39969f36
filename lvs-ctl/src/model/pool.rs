//! The real servers of one virtual service, newest first.

use std::collections::{BTreeMap, HashMap};

use super::{Dest, DestAddr};

/// A service's real servers.
///
/// A new one goes to the head of the list, also one that is added again after it was deleted;
/// editing leaves it where it is (`ip_vs_add_dest`, `list_add_rcu`).
#[derive(Debug, Clone, Default)]
pub struct Pool {
    by_serial: BTreeMap<u64, PoolEntry>,
    by_addr: HashMap<DestAddr, u64>,
    aside: Vec<Dest>,
}

/// A real server with what its history says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolEntry {
    /// The real server.
    pub dest: Dest,
    /// Counts additions to this pool: another serial at the same address means that the real
    /// server was deleted and added again in between.
    pub serial: u64,
    /// Counts edits since then, those included that changed nothing: schedulers are told of every one.
    pub edits: u64,
    /// The most recent weight that was not 0; 0 if there was none. `mh` builds its table from it.
    pub last_weight: u32,
}

impl Pool {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_serial.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_serial.is_empty()
    }

    /// All, in the order in which schedulers walk them.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &PoolEntry> + ExactSizeIterator + Clone {
        self.by_serial.values().rev()
    }

    /// The one at `addr`.
    #[must_use]
    pub fn get(&self, addr: &DestAddr) -> Option<&PoolEntry> {
        self.by_addr.get(addr).and_then(|serial| self.by_serial.get(serial))
    }

    /// Puts `dest` at the head; false if its address is taken.
    pub(super) fn add(&mut self, dest: Dest) -> bool {
        self.add_with_history(dest, dest.weight)
    }

    pub(super) fn add_with_history(&mut self, dest: Dest, last_weight: u32) -> bool {
        if self.by_addr.contains_key(&dest.addr) {
            return false;
        }
        let serial = self.by_serial.last_key_value().map_or(0, |(&newest, _)| newest + 1);
        self.by_addr.insert(dest.addr, serial);
        self.by_serial.insert(serial, PoolEntry { dest, serial, edits: 0, last_weight });
        true
    }

    /// Replaces the one at `dest`'s address; false if there is none.
    pub(super) fn edit(&mut self, dest: Dest) -> bool {
        let entry = self.by_addr.get(&dest.addr).and_then(|serial| self.by_serial.get_mut(serial));
        let Some(entry) = entry else { return false };
        entry.dest = dest;
        entry.edits += 1;
        if dest.weight != 0 {
            entry.last_weight = dest.weight;
        }
        true
    }

    /// Puts the one at `addr` at the head, as if it had been deleted and added again.
    pub(super) fn readd(&mut self, addr: &DestAddr) {
        let Some(serial) = self.by_addr.get(addr) else { return };
        let newest = self.by_serial.last_key_value().map_or(0, |(&newest, _)| newest);
        if let Some(entry) = self.by_serial.remove(serial) {
            let serial = newest + 1;
            self.by_addr.insert(*addr, serial);
            self.by_serial.insert(serial, PoolEntry { serial, ..entry });
        }
    }

    /// A pool of these, whose addresses and serial numbers all differ.
    #[must_use]
    pub fn of(entries: impl IntoIterator<Item = PoolEntry>) -> Self {
        let mut pool = Self::default();
        for entry in entries {
            pool.by_addr.insert(entry.dest.addr, entry.serial);
            pool.by_serial.insert(entry.serial, entry);
        }
        pool
    }

    /// The same pool, with these real servers aside; none of their addresses is in the pool.
    #[must_use]
    pub fn with_aside(self, aside: Vec<Dest>) -> Self {
        Self { aside, ..self }
    }

    /// Real servers that are not in the pool, and get no packets, but are checked.
    #[must_use]
    pub fn aside(&self) -> &[Dest] {
        &self.aside
    }

    /// Takes out the one at `addr`; false if there is none.
    pub(super) fn delete(&mut self, addr: &DestAddr) -> bool {
        let Some(serial) = self.by_addr.remove(addr) else { return false };
        self.by_serial.remove(&serial).is_some()
    }
}
