//! What is rare or big, as functions of their own: the scheduler's choice and the insertion into the
//! connection table; letting a template last. Arguments and results are left in a value of this CPU's.
// verifier: a global function is verified once, by itself, with its own stack; in line, everything
// behind it would be walked again for each way through it.

use lvs_common::{
    conntable::{self, Buckets as _, Done, Entry, Hit, Insert, New, WAYS},
    map::Service,
    net::Be32,
    sched::Hint,
};
use lvs_ebpf::{Connection, icmp::limit::Limit, packet::Packet, persist, schedule};

use super::{
    KernelTables,
    conns::{Conns, Row},
    maps::SCRATCH,
    pool::KernelPool,
};

/// What the packet's way leaves for the functions, and they for it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Scratch {
    /// The packet under way.
    pub packet: Packet<Be32>,
    /// Its connection.
    pub opened: Connection,
    /// ICMP errors that may still be sent.
    pub limit: Limit,
    client: Be32,
    assured: Entry,
    service: Service,
    hint: Hint,
    hashes: (u32, u32),
    new: New,
    bucket: u32,
    way: u32,
    entry: Entry,
    evicted: Entry,
}

/// `lvs_choose`: no real server takes connections.
const NOBODY: u32 = u32::MAX;

/// `lvs_insert`: outcomes, and whether a connection was evicted.
const NEW: u32 = 0;
const EXISTS: u32 = 1;
const RACING: u32 = 2;
const FULL: u32 = 3;
const OUTCOME: u32 = 3;
const EVICTED: u32 = 4;

/// This CPU's value; XDP programs of one CPU do not interrupt each other.
#[inline(always)]
pub fn scratch() -> Option<&'static mut Scratch> {
    // SAFETY: nobody else has this CPU's value while the packet is under way, and every function
    // here takes it anew.
    SCRATCH.get_ptr_mut(0).map(|scratch| unsafe { &mut *scratch })
}

/// Lets the template of a client's connection last.
#[inline(always)]
pub fn assure(client: Be32, entry: &Entry) {
    let Some(asked) = scratch() else { return };
    asked.client = client;
    asked.assured = *entry;
    lvs_assure();
}

/// The position that the service's scheduler chooses.
#[inline(always)]
pub fn choose(service: &Service, packet: &Packet<Be32>) -> Option<u32> {
    let asked = scratch()?;
    asked.service = *service;
    asked.hint = packet.hint();
    let position = lvs_choose();
    (position != NOBODY).then_some(position)
}

/// Puts a connection into the table.
#[inline(always)]
pub fn insert(hashes: (u32, u32), new: New) -> Done<Row> {
    const BROKEN: Done<Row> = Done { what: Insert::Full, evicted: None };
    let Some(asked) = scratch() else { return BROKEN };
    asked.hashes = hashes;
    asked.new = new;
    let outcome = lvs_insert();
    let Some(answer) = scratch() else { return BROKEN };
    let what = match outcome & OUTCOME {
        RACING => Insert::Racing,
        FULL => Insert::Full,
        found => {
            let Some(bucket) = Conns.at(answer.bucket) else { return BROKEN };
            // verifier: a way below eight
            let hit = Hit { bucket, way: answer.way as usize & (WAYS - 1), entry: answer.entry };
            if found == NEW { Insert::New(hit) } else { Insert::Exists(hit) }
        }
    };
    Done { what, evicted: (outcome & EVICTED != 0).then_some(answer.evicted) }
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_assure() -> u32 {
    let (Some(scratch), Some(mut tables)) = (scratch(), KernelTables::new(None)) else {
        return 0;
    };
    persist::assure(scratch.client, &scratch.assured, &mut tables);
    0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_choose() -> u32 {
    let Some(scratch) = scratch() else { return NOBODY };
    let service = &scratch.service;
    schedule::choose(service, scratch.hint, &KernelPool::new(service)).unwrap_or(NOBODY)
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_insert() -> u32 {
    let Some(scratch) = scratch() else { return FULL };
    let done = conntable::insert(&Conns, scratch.hashes, scratch.new);
    let evicted = match done.evicted {
        Some(evicted) => {
            scratch.evicted = evicted;
            EVICTED
        }
        None => 0,
    };
    let outcome = match done.what {
        Insert::Racing => RACING,
        Insert::Full => FULL,
        Insert::New(hit) => {
            scratch.found(&hit);
            NEW
        }
        Insert::Exists(hit) => {
            scratch.found(&hit);
            EXISTS
        }
    };
    outcome | evicted
}

impl Scratch {
    #[inline(always)]
    fn found(&mut self, hit: &Hit<Row>) {
        self.bucket = hit.bucket.index;
        self.way = hit.way as u32;
        self.entry = hit.entry;
    }
}
