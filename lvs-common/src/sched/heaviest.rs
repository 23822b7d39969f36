//! The fold of the schedulers that look for weight: rr, wrr, fo, ovf.

use core::{marker::PhantomData, ops::ControlFlow};

use super::{
    pool::{Candidate, Scan},
    select::{NOBODY, Opaque, less, pick, position},
};

/// What a scheduler counts as the weight of a real server; 0 if it must not be chosen.
pub trait Weigh {
    /// 0 to 2^31 - 1.
    fn weight<O: Opaque>(of: Candidate) -> u32;
}

/// Counts the weight of every one that is available.
#[derive(Clone, Copy, Debug)]
pub enum Available {}

impl Weigh for Available {
    #[inline(always)]
    fn weight<O: Opaque>(of: Candidate) -> u32 {
        available(of)
    }
}

/// Its weight, or 0 over its threshold: 0 unless it may be chosen.
#[inline(always)]
#[must_use]
pub const fn available(of: Candidate) -> u32 {
    of.weight & of.overloaded.wrapping_sub(1)
}

/// The first of the heaviest among those visited; one of `enough` weight ends the search.
#[derive(Clone, Copy, Debug)]
pub struct Heaviest<W> {
    enough: u64,
    weight: u64,
    position: u64,
    weigh: PhantomData<W>,
}

impl<W: Weigh> Heaviest<W> {
    /// `enough` 1: the first that may be chosen at all; `u32::MAX`: the heaviest of all.
    #[inline(always)]
    #[must_use]
    pub const fn new(enough: u32) -> Self {
        Self { enough: enough as u64, weight: 0, position: NOBODY as u64, weigh: PhantomData }
    }

    /// The weight of the one found; 0: none.
    #[inline(always)]
    #[must_use]
    pub const fn weight(&self) -> u64 {
        self.weight
    }

    /// The one found, if it has `enough` weight.
    #[inline(always)]
    #[must_use]
    pub fn reached(&self) -> Option<u32> {
        self.chosen().filter(|_| self.weight >= self.enough)
    }
}

impl<W: Weigh> Scan for Heaviest<W> {
    #[inline(always)]
    fn visit<O: Opaque>(&mut self, position: u32, of: Candidate) -> ControlFlow<()> {
        let weight = u64::from(W::weight::<O>(of));
        // Heavier, and none yet that is heavy enough.
        let take = less::<O>(self.weight, weight) & less::<O>(self.weight, self.enough);
        self.weight = pick(take, weight, self.weight);
        self.position = pick(take, u64::from(position), self.position);
        if self.weight >= self.enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "it came from a u32")]
    fn chosen(&self) -> Option<u32> {
        position(self.position as u32)
    }
}
