//! What is measured: a program, its packets, its state.

use std::{cell::RefCell, rc::Rc};

use anyhow::{Context as _, Result, ensure};
use aya::programs::ProgramFd;

use crate::{
    director::{Director, Fed, Snapshot},
    feeder::{Action, Feed, Feeder, Run},
};

/// A round over a state that is restored is preceded by this part of its packets.
const LEAD: u32 = 4;

/// A line of the table, at one number of flows.
pub struct Subject {
    /// The case.
    pub name: &'static str,
    /// Nanoseconds a packet of each round: with the program, and with the empty one in its place.
    pub rounds: Vec<(f64, f64)>,
    main: Feeder,
    stub: Feeder,
    action: Action,
    packets: u32,
    state: State,
}

/// What the program works on.
pub enum State {
    /// Its own, of no interest.
    Own,
    /// A director's, who counts packets of this kind.
    Shared(Rc<RefCell<Director>>, Kind),
    /// A director's, made as it was before each round.
    Restored(Rc<RefCell<Director>>, Snapshot),
}

/// What packets are to a director.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Of clients.
    Request,
    /// Of real servers.
    Reply,
    /// Of others.
    NotOurs,
}

impl Subject {
    /// A program that is to do `action` with each packet of the feed, so many a round.
    pub fn new(
        name: &'static str,
        object: &[u8],
        feed: &Feed,
        target: &ProgramFd,
        action: Action,
        packets: u32,
        state: State,
    ) -> Result<Self> {
        let main = Feeder::new(object, feed, Some(target))?;
        let stub = Feeder::new(object, feed, None)?;
        Ok(Self { name, rounds: Vec::new(), main, stub, action, packets, state })
    }

    /// Makes a round; noted if it counts.
    pub fn round(&mut self, counts: bool) -> Result<()> {
        let packets = self.packets;
        let (main, stub) = if let State::Restored(..) = self.state {
            // A round may be too short here for the system call to be lost in it, and what it takes to
            // get going, with cold caches, is not to count.
            let lead = packets / LEAD;
            let start = self.feed(lead)?.clock_ns;
            let main = self.feed(lead + packets)?.clock_ns - start;
            (main, self.stub.run(packets)?.clock_ns)
        } else {
            (self.feed(packets)?.cpu_ns, self.stub.run(packets)?.cpu_ns)
        };
        if counts {
            self.rounds.push((main / f64::from(packets), stub / f64::from(packets)));
        }
        Ok(())
    }

    /// Feeds packets to the program.
    fn feed(&mut self, packets: u32) -> Result<Run> {
        let Self { name, action, .. } = *self;
        if let State::Restored(_, before) = &mut self.state {
            before.restore()?;
        }
        let run = self.main.run(packets).context(name)?;
        let done = run.action;
        ensure!(done == action, "{name}: the program's action is {done}, not {action}");
        match &self.state {
            State::Own => {}
            State::Shared(director, kind) => kind.note(&mut director.borrow_mut().fed, packets),
            State::Restored(director, _) => {
                Kind::Request.note(&mut director.borrow_mut().fed, packets);
            }
        }
        Ok(run)
    }
}

impl Kind {
    /// Adds packets of the kind.
    pub fn note(self, fed: &mut Fed, packets: u32) {
        let count = match self {
            Self::Request => &mut fed.requests,
            Self::Reply => &mut fed.replies,
            Self::NotOurs => &mut fed.not_ours,
        };
        *count += u64::from(packets);
    }
}
