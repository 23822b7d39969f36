//! Real servers in vectors, for the schedulers' own tests.

use core::cell::Cell;
use std::{collections::HashMap, vec::Vec};

use super::{
    locality::{Locality, Remembered},
    pool::{Candidate, Pool},
    select::Transparent,
};

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

    /// Ids chosen for so many connections, each held open; 0: none.
    pub(super) fn connect_each(
        &mut self,
        times: usize,
        choose: impl Fn(&Self) -> Option<u32>,
    ) -> Vec<u32> {
        let one = |_| {
            choose(self).map_or(0, |position| {
                self.list[position as usize].1.active += 1;
                self.id(position)
            })
        };
        (0..times).map(one).collect()
    }

    /// A table of positions, as the builders fill it.
    pub(super) fn set_table(&mut self, table: &[u16]) {
        let full = |(index, &position): (usize, &u16)| {
            (position != u16::MAX).then_some((u32::try_from(index).unwrap(), u32::from(position)))
        };
        self.table = table.iter().enumerate().filter_map(full).collect();
    }
}

impl Pool for Servers {
    type Opaque = Transparent;

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

/// Real servers under one remembered address, with a clock.
pub(super) struct Cache {
    pub(super) servers: Servers,
    remembered: Remembered,
    is_known: Cell<bool>,
    now_ns: u64,
}

impl Cache {
    pub(super) fn added(of: &[(u32, u32)]) -> Self {
        Self {
            servers: Servers::added(of),
            remembered: Remembered::default(),
            is_known: Cell::new(false),
            now_ns: 1,
        }
    }

    /// As [`Servers::connect_each`].
    pub(super) fn connect_each(
        &mut self,
        times: usize,
        choose: impl Fn(&Self) -> Option<u32>,
    ) -> Vec<u32> {
        let one = |_| {
            choose(self).map_or(0, |position| {
                self.servers.list[position as usize].1.active += 1;
                self.servers.id(position)
            })
        };
        (0..times).map(one).collect()
    }

    /// The ids remembered.
    pub(super) fn ids(&self) -> Vec<u32> {
        (0..).map_while(|place| self.remembered.get(place)).collect()
    }

    pub(super) fn forget(&self) {
        self.is_known.set(false);
    }

    pub(super) fn pass(&mut self, ns: u64) {
        self.now_ns += ns;
    }
}

impl Pool for Cache {
    type Opaque = Transparent;

    fn len(&self) -> u32 {
        self.servers.len()
    }

    fn candidate(&self, position: u32) -> Option<Candidate> {
        self.servers.candidate(position)
    }

    fn bucket(&self, index: u32) -> Option<u32> {
        self.servers.bucket(index)
    }

    fn cursor(&self) -> u64 {
        self.servers.cursor()
    }

    fn swap_cursor(&self, seen: u64, new: u64) -> bool {
        self.servers.swap_cursor(seen, new)
    }

    fn random(&self) -> u32 {
        self.servers.random()
    }
}

impl Locality for Cache {
    fn remembered(&self) -> Option<&Remembered> {
        self.is_known.get().then_some(&self.remembered)
    }

    fn begin(&self) -> Option<&Remembered> {
        self.is_known.set(true);
        Some(&self.remembered)
    }

    fn id(&self, position: u32) -> Option<u32> {
        Some(self.servers.id(position))
    }

    fn position(&self, id: u32) -> Option<u32> {
        let position = self.servers.list.iter().position(|server| server.0 == id)?;
        Some(u32::try_from(position).unwrap())
    }

    fn server(&self, id: u32) -> Option<Candidate> {
        self.candidate(self.position(id)?)
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn expiration_ns(&self) -> u64 {
        1000
    }
}
