//! Real servers in a vector, as the schedulers under test see them.

use std::cell::Cell;

use lvs_common::sched::{Candidate, Pool, Scan, Transparent};

use crate::reference::Server;

pub(crate) struct VecPool<'a> {
    pub(crate) list: &'a [Server],
    pub(crate) cursor: &'a Cell<u64>,
    /// Drive every scan to its end, `Break` or not.
    pub(crate) never_stops: bool,
    /// So many times, another CPU chooses meanwhile.
    pub(crate) rivals: Cell<u32>,
}

impl<'a> VecPool<'a> {
    pub(crate) fn new(list: &'a [Server], cursor: &'a Cell<u64>) -> Self {
        Self { list, cursor, never_stops: false, rivals: Cell::new(0) }
    }

    pub(crate) fn id(&self, position: Option<u32>) -> Option<u32> {
        position.map(|position| self.list[position as usize].id)
    }
}

impl Pool for VecPool<'_> {
    type Opaque = Transparent;

    fn len(&self) -> u32 {
        u32::try_from(self.list.len()).unwrap()
    }

    fn candidate(&self, position: u32) -> Option<Candidate> {
        let server = self.list.get(position as usize)?;
        Some(Candidate {
            weight: server.weight,
            active: server.active,
            inactive: server.inactive,
            overloaded: server.is_overloaded.into(),
        })
    }

    fn bucket(&self, _index: u32) -> Option<u32> {
        None
    }

    fn cursor(&self) -> u64 {
        self.cursor.get()
    }

    fn swap_cursor(&self, seen: u64, new: u64) -> bool {
        if let Some(left) = self.rivals.get().checked_sub(1) {
            self.rivals.set(left);
            // The rival sees the same and is faster.
            self.cursor.set(new);
            return false;
        }
        self.cursor.get() == seen && self.cursor.replace(new) == seen
    }

    fn random(&self) -> u32 {
        unreachable!("none of these is random")
    }

    fn seek<S: Scan>(&self, start: u32, steps: u32, mut scan: S) -> S {
        for step in 0..steps {
            let position = (start + step) % self.len();
            let flow = scan.visit::<Transparent>(position, self.candidate(position).unwrap());
            if flow.is_break() && !self.never_stops {
                break;
            }
        }
        scan
    }
}
