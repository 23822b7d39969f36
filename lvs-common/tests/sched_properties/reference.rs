//! The schedulers once more: slow, plain, and sharing no code with those under test.
//!
//! Loads are fractions in 128 bits; wrr walks round by round as the kernel does; cursors are real
//! servers, not positions.

use std::cmp::Ordering;

/// A real server, with an id that edits do not change.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) id: u32,
    pub(crate) weight: u32,
    pub(crate) active: u32,
    pub(crate) inactive: u32,
    pub(crate) is_overloaded: bool,
}

impl Server {
    fn is_available(&self) -> bool {
        self.weight > 0 && !self.is_overloaded
    }

    fn overhead(&self) -> u128 {
        u128::from(self.active) * 256 + u128::from(self.active) + u128::from(self.inactive)
    }
}

pub(crate) fn lc(list: &[Server]) -> Option<u32> {
    first_least(list, |server| (server.overhead(), 1))
}

pub(crate) fn wlc(list: &[Server]) -> Option<u32> {
    first_least(list, |server| (server.overhead(), server.weight.into()))
}

pub(crate) fn sed(list: &[Server]) -> Option<u32> {
    first_least(list, |server| (u128::from(server.active) + 1, server.weight.into()))
}

pub(crate) fn nq(list: &[Server]) -> Option<u32> {
    let idle = list.iter().find(|server| server.is_available() && server.active == 0);
    idle.map(|server| server.id).or_else(|| sed(list))
}

pub(crate) fn fo(list: &[Server]) -> Option<u32> {
    first_heaviest(list.iter().filter(|server| server.is_available()))
}

pub(crate) fn ovf(list: &[Server]) -> Option<u32> {
    let has_room = |server: &&Server| server.is_available() && server.active <= server.weight;
    first_heaviest(list.iter().filter(has_room))
}

/// Round robin, on the real server it chose last.
#[derive(Default)]
pub(crate) struct Rr {
    last: Option<u32>,
}

impl Rr {
    pub(crate) fn choose(&mut self, list: &[Server]) -> Option<u32> {
        let after =
            list.iter().position(|server| Some(server.id) == self.last).map_or(0, |at| at + 1);
        let (before, behind) = list.split_at(after);
        let chosen = behind.iter().chain(before).find(|server| server.is_available())?.id;
        self.last = Some(chosen);
        Some(chosen)
    }

    /// Called before the real server is taken out of the list.
    pub(crate) fn delete(&mut self, list: &[Server], id: u32) {
        if self.last == Some(id) {
            let at = list.iter().position(|server| server.id == id).unwrap();
            self.last = at.checked_sub(1).map(|before| list[before].id);
        }
    }
}

/// Weighted round robin, walking every round. `last` `None`: the head of the list.
pub(crate) struct Wrr {
    last: Option<u32>,
    current: i64,
    largest: i64,
    step: i64,
}

impl Wrr {
    pub(crate) fn new(list: &[Server]) -> Self {
        let mut wrr = Self { last: None, current: 0, largest: 0, step: 1 };
        wrr.measure(list);
        wrr.current = wrr.largest;
        wrr
    }

    fn measure(&mut self, list: &[Server]) {
        let largest = list.iter().map(|server| server.weight).max().unwrap_or(0);
        let divides = |by: &u32| list.iter().all(|server| server.weight % by == 0);
        let smallest = list.iter().map(|server| server.weight).filter(|&weight| weight > 0).min();
        self.step = (1..=smallest.unwrap_or(1)).rev().find(divides).unwrap_or(1).into();
        self.largest = i64::from(largest) - (self.step - 1);
    }

    /// Called after the list was changed in any way.
    pub(crate) fn changed(&mut self, list: &[Server]) {
        self.measure(list);
        self.last = None;
        if self.current > self.largest || self.current == 0 {
            self.current = self.largest;
        } else if self.step > 1 {
            self.current = self.current / self.step * self.step + 1;
        }
    }

    pub(crate) fn choose(&mut self, list: &[Server]) -> Option<u32> {
        if list.iter().all(|server| server.weight == 0) {
            return None;
        }
        let began_at = self.last;
        let mut at =
            began_at.map_or(0, |id| list.iter().position(|server| server.id == id).unwrap() + 1);
        let mut stop = None;
        let (mut is_last_pass, mut has_restarted) = (false, false);
        loop {
            for server in &list[at..] {
                if !server.is_overloaded && i64::from(server.weight) >= self.current {
                    self.last = Some(server.id);
                    return self.last;
                }
                if stop == Some(server.id) {
                    self.last = stop;
                    return None;
                }
            }
            at = 0;
            self.current -= self.step;
            if self.current <= 0 {
                self.current = self.largest;
                if is_last_pass || began_at.is_none() {
                    self.last = None;
                    return None;
                }
                has_restarted = true;
            }
            is_last_pass = self.current <= self.step;
            if is_last_pass && has_restarted {
                stop = began_at;
            }
        }
    }
}

/// The least fraction load / weight among the available, the first of equals.
fn first_least(list: &[Server], fraction: impl Fn(&Server) -> (u128, u128)) -> Option<u32> {
    let compare = |a: &&Server, b: &&Server| -> Ordering {
        let ((load_a, weight_a), (load_b, weight_b)) = (fraction(a), fraction(b));
        (load_a * weight_b).cmp(&(load_b * weight_a))
    };
    list.iter().filter(|server| server.is_available()).min_by(compare).map(|server| server.id)
}

/// The heaviest, the first of equals.
fn first_heaviest<'a>(servers: impl DoubleEndedIterator<Item = &'a Server>) -> Option<u32> {
    // `max_by_key` gives the last of equals, so from behind.
    servers.rev().max_by_key(|server| server.weight).map(|server| server.id)
}
