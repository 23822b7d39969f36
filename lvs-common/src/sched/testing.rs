//! Real servers in vectors, for the schedulers' own tests.

use core::cell::Cell;
use std::{collections::HashMap, vec::Vec};

use super::pool::{Candidate, Pool};

/// A service's real servers, newest first.
pub(super) struct Servers {
    list: Vec<(u32, Candidate)>,
    cursor: Cell<u64>,
    table: HashMap<u32, u32>,
    random: Cell<u64>,
}

impl Servers {
    /// Real servers with these ids and weights, added in this order.
    pub(super) fn added(of: &[(u32, u32)]) -> Self {
        let list =
            of.iter().rev().map(|&(id, weight)| (id, Candidate { weight, ..Candidate::default() }));
        Self {
            list: list.collect(),
            cursor: Cell::new(0),
            table: HashMap::new(),
            random: Cell::new(1),
        }
    }

    pub(super) fn id(&self, position: u32) -> u32 {
        self.list[position as usize].0
    }

    pub(super) fn weights(&self) -> Vec<u32> {
        self.list.iter().map(|server| server.1.weight).collect()
    }

    pub(super) fn candidate_mut(&mut self, id: u32) -> &mut Candidate {
        &mut self.list.iter_mut().find(|server| server.0 == id).unwrap().1
    }

    pub(super) fn set_cursor(&self, cursor: u64) {
        self.cursor.set(cursor);
    }

    /// Changes the list of (id, weight) and carries loads and the cursor over.
    pub(super) fn edit(
        &mut self,
        change: impl FnOnce(&mut Vec<(u32, u32)>),
        reseat: impl FnOnce(&[u32], &[u32], u64) -> u64,
    ) {
        let ids =
            |list: &[(u32, Candidate)]| list.iter().map(|server| server.0).collect::<Vec<_>>();
        let before = ids(&self.list);
        let loads: HashMap<u32, Candidate> = self.list.iter().copied().collect();
        let mut list = self.list.iter().map(|server| (server.0, server.1.weight)).collect();
        change(&mut list);
        let kept = |(id, weight)| {
            (id, Candidate { weight, ..loads.get(&id).copied().unwrap_or_default() })
        };
        self.list = list.into_iter().map(kept).collect();
        self.cursor.set(reseat(&before, &ids(&self.list), self.cursor.get()));
    }
}

impl Pool for Servers {
    fn len(&self) -> u32 {
        u32::try_from(self.list.len()).unwrap()
    }

    fn candidate(&self, position: u32) -> Option<Candidate> {
        self.list.get(position as usize).map(|server| server.1)
    }

    fn bucket(&self, index: u32) -> Option<u32> {
        self.table.get(&index).copied()
    }

    fn cursor(&self) -> u64 {
        self.cursor.get()
    }

    fn swap_cursor(&self, seen: u64, new: u64) -> bool {
        assert_eq!(seen, self.cursor.get(), "nobody else moves it here");
        self.cursor.set(new);
        true
    }

    fn random(&self) -> u32 {
        // xorshift64
        let mut word = self.random.get();
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        self.random.set(word);
        (word >> 32) as u32
    }
}
