//! The real servers that have a slot: found by what they are, by their slot, and by having gone.

use std::collections::{BTreeSet, HashMap};

use lvs_common::map::{self, ServiceKey};

use crate::model::DestAddr;

/// What a real server is known by: its service, address and port.
pub(super) type DestKey = (ServiceKey, DestAddr);

/// All of them. A change costs what it touches, however many there are.
#[derive(Debug, Default)]
pub(super) struct Dests {
    known: HashMap<DestKey, Known>,
    keys: HashMap<u32, DestKey>,
    /// Slots of those that are in no list any more, and not held aside either.
    gone: BTreeSet<u32>,
}

/// A real server that has a slot: listed, held aside, or gone but with connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) slot: u32,
    pub(super) value: map::Dest,
}

impl Dests {
    pub(super) fn get(&self, key: &DestKey) -> Option<&Known> {
        self.known.get(key)
    }

    /// A new real server, or a new value of one that has its slot already.
    pub(super) fn set(&mut self, key: DestKey, known: Known) {
        self.keys.insert(known.slot, key);
        if known.value.is_probed() {
            self.gone.remove(&known.slot);
        } else {
            self.gone.insert(known.slot);
        }
        self.known.insert(key, known);
    }

    /// Sends the packets of the one in this slot to another next hop: its value then.
    pub(super) fn redirect(&mut self, slot: u32, next_hop: u32) -> Option<map::Dest> {
        self.edit(slot, |value| value.next_hop = next_hop)
    }

    /// The one in this slot is in no list any more: its value then.
    pub(super) fn retire(&mut self, slot: u32) -> Option<map::Dest> {
        let value = self.edit(slot, |value| value.flags = map::Dest::USED)?;
        self.gone.insert(slot);
        Some(value)
    }

    /// The slots of those that are held aside, by service.
    pub(super) fn aside(&self) -> HashMap<ServiceKey, Vec<u32>> {
        let mut aside: HashMap<_, Vec<u32>> = HashMap::new();
        for ((service, _), known) in &self.known {
            if known.value.is_probed() && !known.value.is_available() {
                aside.entry(*service).or_default().push(known.slot);
            }
        }
        aside
    }

    /// Forgets the one in this slot.
    pub(super) fn remove(&mut self, slot: u32) -> Option<(DestKey, Known)> {
        self.gone.remove(&slot);
        self.known.remove_entry(&self.keys.remove(&slot)?)
    }

    /// Those that are in no list any more.
    pub(super) fn gone(&self) -> impl Iterator<Item = (&DestKey, &Known)> {
        let keys = self.gone.iter().filter_map(|slot| self.keys.get(slot));
        keys.filter_map(|key| self.known.get_key_value(key))
    }

    fn edit(&mut self, slot: u32, edit: impl FnOnce(&mut map::Dest)) -> Option<map::Dest> {
        let known = self.known.get_mut(self.keys.get(&slot)?)?;
        edit(&mut known.value);
        Some(known.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16) -> DestKey {
        let address = "192.0.2.1".parse().unwrap();
        (ServiceKey::mark(1, map::Family::V4), DestAddr { address, port })
    }

    fn known(slot: u32) -> Known {
        let flags = map::Dest::USED | map::Dest::AVAILABLE;
        Known { slot, value: map::Dest { flags, ..bytemuck::Zeroable::zeroed() } }
    }

    fn gone(dests: &Dests) -> Vec<u32> {
        dests.gone().map(|(_, known)| known.slot).collect()
    }

    #[test]
    fn one_that_returns_is_not_gone_and_one_that_is_removed_is_nowhere() {
        let mut dests = Dests::default();
        dests.set(key(1), known(7));
        dests.set(key(2), known(8));
        assert!(gone(&dests).is_empty());
        for slot in [7, 8] {
            assert!(!dests.retire(slot).unwrap().is_available());
        }
        assert_eq!(gone(&dests), [7, 8]);
        dests.set(key(1), known(7));
        assert_eq!(gone(&dests), [8]);
        assert_eq!(dests.remove(8).unwrap().0, key(2));
        assert!(gone(&dests).is_empty() && dests.get(&key(2)).is_none());
        assert_eq!(dests.retire(8), None);
        assert_eq!(dests.redirect(7, 3).unwrap().next_hop, 3);
        assert_eq!(dests.get(&key(1)).unwrap().value.next_hop, 3);
    }
}
