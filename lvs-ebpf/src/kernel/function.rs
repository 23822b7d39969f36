//! What is rare or big, as functions of their own: the insertion into the connection table; letting a
//! template last. Arguments and results are left in a value of this CPU's.
// verifier: a global function is verified once, by itself, with its own stack; in line, everything
// behind it would be walked again for each way through it.

use lvs_common::{
    conntable::{Buckets as _, Done, Entry, Hit, Insert, Key, New, WAYS, ends::Ends},
    map::{MAX_PATHS, PATH_S, PathMtu},
    net::{Addr6, Be32, crc32c},
    wire::Tags,
};
use lvs_ebpf::{
    Connection,
    icmp::{answer::Answer, limit::Limit},
    open::Opening,
    packet::Packet,
    persist,
    probe::out::Aim,
    tables::Tables as _,
};

use super::{KernelTables, atomic, conns::Row, family::Kept, frame::CHUNK, maps::PATHS};

/// What the packet's way leaves for the functions, and they for it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Scratch<A> {
    /// What is to be done next; see `way`.
    pub next: u32,
    /// Tags that were taken off the frame, of either family; none while nobody has taken any.
    pub tags: Tags,
    /// The packet under way.
    pub packet: Packet<A>,
    /// It may be a request.
    pub is_request: bool,
    /// What is decided of the connection that it begins.
    pub opening: Opening,
    /// Its connection.
    pub opened: Connection,
    /// Where a health check's packet goes.
    pub aim: Aim<A>,
    /// The ICMP error that a client gets.
    pub answer: Answer<A>,
    /// ICMP errors that may still be sent.
    pub limit: Limit,
    /// Bytes of a frame that lie behind its first buffer.
    pub chunk: [u32; CHUNK / 4],
    /// Of a reply's later fragment: the address that the client called.
    pub address: A,
    client: A,
    assured: Entry,
    hashes: (u32, u32),
    new: New,
    key: Key,
    ends: Ends,
    bucket: u32,
    way: u32,
    entry: Entry,
    evicted: Entry,
}

/// `lvs_insert`: outcomes, and whether a connection was evicted.
const NEW: u32 = 0;
const EXISTS: u32 = 1;
const RACING: u32 = 2;
const FULL: u32 = 3;
const OUTCOME: u32 = 3;
const EVICTED: u32 = 4;

/// This CPU's value; XDP programs of one CPU do not interrupt each other.
#[inline(always)]
pub fn scratch<A: Kept>() -> Option<&'static mut Scratch<A>> {
    // SAFETY: nobody else has this CPU's value while the packet is under way, and every function
    // here takes it anew.
    A::scratch().map(|scratch| unsafe { &mut *scratch })
}

/// Leaves a client's connection, whose template is to last: see [`Kept::call_assure`].
#[inline(always)]
pub fn leave<A: Kept>(client: A, entry: &Entry) {
    let Some(asked) = scratch::<A>() else { return };
    asked.client = client;
    asked.assured = *entry;
}

/// What a CRC of SCTP differs by; see [`crc32c::difference`].
#[inline(always)]
pub fn crc(edit: u32, behind: u16) -> u32 {
    lvs_crc(edit, u32::from(behind))
}

/// Looks up a connection of IPv6 in a function of its own: the stack beside that of
/// [`insert`] is too small for it.
#[inline(always)]
pub fn find(hashes: (u32, u32), key: Key, ends: &Ends) -> Option<Hit<Row>> {
    let asked = scratch::<Addr6>()?;
    asked.hashes = hashes;
    asked.key = key;
    asked.ends = *ends;
    if lvs_find6() == 0 {
        return None;
    }
    scratch::<Addr6>()?.hit()
}

/// Puts a connection into the table.
#[inline(always)]
pub fn insert<A: Kept>(
    at: Option<*mut Scratch<A>>,
    hashes: (u32, u32),
    new: New,
    ends: &Ends,
) -> Done<Row> {
    const BROKEN: Done<Row> = Done { what: Insert::Full, evicted: None };
    let Some(asked) = at.or_else(A::scratch) else { return BROKEN };
    // SAFETY: as `scratch`.
    let asked = unsafe { &mut *asked };
    asked.hashes = hashes;
    asked.new = new;
    if A::HAS_ENDS {
        asked.ends = *ends;
    }
    let outcome = A::call_insert();
    let Some(answer) = at.or_else(A::scratch) else { return BROKEN };
    // SAFETY: as `scratch`.
    let answer = unsafe { &*answer };
    let what = match outcome & OUTCOME {
        RACING => Insert::Racing,
        FULL => Insert::Full,
        found => {
            let Some(hit) = answer.hit() else { return BROKEN };
            if found == NEW { Insert::New(hit) } else { Insert::Exists(hit) }
        }
    };
    Done { what, evicted: (outcome & EVICTED != 0).then_some(answer.evicted) }
}

/// Lets the template last of the connection that was left; what is to be done next.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_assure() -> u32 {
    assure_asked::<Be32>()
}

/// See [`lvs_assure`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_assure6() -> u32 {
    assure_asked::<Addr6>()
}

/// Whether there is one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_find6() -> u32 {
    let Some(scratch) = scratch::<Addr6>() else { return 0 };
    match Addr6::find(scratch.hashes, scratch.key, &scratch.ends) {
        Some(hit) => {
            scratch.found(&hit);
            1
        }
        None => 0,
    }
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_insert() -> u32 {
    insert_asked::<Be32>()
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_insert6() -> u32 {
    insert_asked::<Addr6>()
}

#[inline(always)]
fn assure_asked<A: Kept>() -> u32 {
    let (Some(scratch), Some(mut tables)) = (scratch::<A>(), KernelTables::new(None)) else {
        return 0;
    };
    persist::assure(scratch.client, &scratch.assured, &mut tables);
    scratch.next
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_crc(edit: u32, behind: u32) -> u32 {
    crc32c::difference(edit, behind as u16, atomic::veil)
}

/// What gets through to a real server.
// verifier: as [`lvs_learn`]
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_path_mtu(dest: u32) -> u32 {
    let Some(tables) = KernelTables::<Be32>::new(None) else { return PathMtu::UNKNOWN };
    tables.dest(dest).map_or(PathMtu::UNKNOWN, |dest| tables.mtu_to(dest.address))
}

/// Remembers what a router says of the path to a real server; see [`PathMtu::learn`].
// verifier: in line, all that follows would be walked once for each way through it
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lvs_learn(dest: u32, mtu: u32) -> u32 {
    let Some(tables) = KernelTables::<Be32>::new(None) else { return 0 };
    let Some(server) = tables.dest(dest).map(|dest| dest.address) else { return 0 };
    let Some(paths) = PATHS.get_ptr_mut(0) else { return 0 };
    // verifier: an index below their number
    let place = PathMtu::place(server) as usize & (MAX_PATHS - 1);
    // SAFETY: an element of the map's value, which no array map ever frees. CPUs may write it at once: what it then
    // says is what one of two routers said, and it is bounded where it is used.
    let path = unsafe { &mut *paths.cast::<PathMtu>().wrapping_add(place) };
    path.learn(server, mtu, tables.now(), PATH_S * tables.tunables().ticks_per_second);
    1
}

#[inline(always)]
fn insert_asked<A: Kept>() -> u32 {
    let Some(scratch) = scratch::<A>() else { return FULL };
    let done = A::insert(scratch.hashes, scratch.new, &scratch.ends);
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

impl<A: Kept> Scratch<A> {
    /// What [`found`](Self::found) left.
    #[inline(always)]
    fn hit(&self) -> Option<Hit<Row>> {
        let bucket = A::CONNS.at(self.bucket)?;
        // verifier: a way below eight
        Some(Hit { bucket, way: self.way as usize & (WAYS - 1), entry: self.entry })
    }

    #[inline(always)]
    fn found(&mut self, hit: &Hit<Row>) {
        self.bucket = hit.bucket.index;
        self.way = hit.way as u32;
        self.entry = hit.entry;
    }
}
