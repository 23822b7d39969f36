//! The fragments held: so many, by datagram, each for a moment.

#![forbid(unsafe_code)]

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use lvs_common::map::DatagramKey;
use tokio::time::Instant;

use crate::dataplane::early::Fragment;

/// How long fragments are held, from the first that came of their datagram on.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Fragments held at a time: of the longest frames, some 4 MB.
pub(super) const MAX: usize = 2048;
/// Of one datagram: the longest has so many, cut for links of 1 280 bytes.
pub(super) const MAX_EACH: usize = 54;

/// What is held.
#[derive(Debug, Default)]
pub(super) struct Store {
    datagrams: HashMap<DatagramKey, Held>,
    /// By age.
    order: BTreeMap<u64, DatagramKey>,
    next: u64,
    count: usize,
}

#[derive(Debug)]
struct Held {
    number: u64,
    until: Instant,
    fragments: Vec<Fragment>,
}

impl Store {
    /// Holds a fragment, or gives it back if it is one too many.
    pub(super) fn hold(&mut self, fragment: Fragment, now: Instant) -> Option<Fragment> {
        if !self.has_room() {
            return Some(fragment);
        }
        let held = self.datagrams.entry(fragment.key).or_insert_with(|| {
            let number = self.next;
            self.next += 1;
            self.order.insert(number, fragment.key);
            Held { number, until: now + PATIENCE, fragments: Vec::new() }
        });
        if held.fragments.len() >= MAX_EACH {
            return Some(fragment);
        }
        held.fragments.push(fragment);
        self.count += 1;
        None
    }

    /// Gives up what is held of a datagram, in order.
    pub(super) fn take(&mut self, key: &DatagramKey) -> Vec<Fragment> {
        let Some(Held { number, mut fragments, .. }) = self.datagrams.remove(key) else {
            return Vec::new();
        };
        self.order.remove(&number);
        self.count -= fragments.len();
        fragments.sort_by_key(|fragment| fragment.start);
        fragments
    }

    /// The same of the datagram whose time is over longest, if it is of any.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<Fragment> {
        match self.oldest() {
            Some((key, until)) if until <= now => self.take(&key),
            _ => Vec::new(),
        }
    }

    /// When the next one's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.oldest().map(|(_, until)| until)
    }

    /// Whether one more can be held.
    pub(super) fn has_room(&self) -> bool {
        self.count < MAX
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn oldest(&self) -> Option<(DatagramKey, Instant)> {
        let (_, key) = self.order.first_key_value()?;
        self.datagrams.get(key).map(|held| (*key, held.until))
    }
}
