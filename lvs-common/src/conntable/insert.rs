//! Inserting a connection.
// verifier: no branch a way in here. Ranks, free ways and duplicates are arithmetic masks, with an
// opaque step before and after each shift, or the compiler turns them back into branches.

use super::{
    Bucket, Buckets, Entry, FIRST_CROWDED, Hit, Key, WAYS, index,
    word::{
        self, CLAIMED, CLIENT, EMPTY, ENDPOINT, GENERATION, GENERATION_AT, KILLED, LIVE, PHASE,
        STATE_AT,
    },
};
use crate::{map::Method, tcp_state::State};

/// A connection to be.
#[derive(Clone, Copy, Debug)]
pub struct New {
    /// Who it is between.
    pub key: Key,
    /// Slot of its real server.
    pub dest: u32,
    /// Its forwarding method.
    pub method: Method,
    /// NAT leaves the port as it is.
    pub keeps_port: bool,
    /// The state it begins in.
    pub state: State,
    /// The fourth word: [`end`](word::end) of the real server's address and port, and flags.
    pub peer: u64,
    /// The clock, ticks.
    pub now: u32,
    /// When it ends, ticks.
    pub expires: u32,
}

/// What an insertion came to.
#[derive(Clone, Copy, Debug)]
pub enum Insert<B> {
    /// The connection is in the table.
    New(Hit<B>),
    /// Another CPU has inserted it before.
    Exists(Hit<B>),
    /// Another CPU is inserting this client right now, or took the slot: look up once more.
    Racing,
    /// Every way holds a connection that may not be given up.
    Full,
}

/// An insertion's outcome, and what it cost.
#[derive(Clone, Copy, Debug)]
pub struct Done<B> {
    /// The outcome.
    pub what: Insert<B>,
    /// The connection that lost its place, for the accounts: with any outcome, since a claim that is
    /// given up has already replaced it.
    pub evicted: Option<Entry>,
}

/// Puts a connection into the table, at the cost of one that is over if need be.
#[inline(always)]
pub fn insert<T: Buckets>(table: &T, hashes: (u32, u32), new: New) -> Done<T::Bucket> {
    let count = table.count();
    let (index_a, index_b) = (index(hashes.0, count), index(hashes.1, count));
    let full = Done { what: Insert::Full, evicted: None };
    let (Some(a), Some(b)) = (table.at(index_a), table.at(index_b)) else {
        return full;
    };
    let pair = Pair { a, b, twin: index_a == index_b };

    let Some(Choice { second, way, is_free }) = choose::<T>(pair, new.now) else {
        return full;
    };
    let mine = if second { b } else { a };
    let place = word::at(way, 0);
    let seen = mine.load(place);
    let mut evicted = None;
    if seen & PHASE == LIVE {
        // It may have changed since it was chosen: ask again, of the value the claim will compare. One
        // that took a free way meanwhile is not to be given up: there was room.
        let w2 = mine.load(word::at(way, 2));
        if is_free || rank::<T>(seen, w2, new.now) == 0 {
            return Done { what: Insert::Racing, evicted: None };
        }
        evicted = Some(Entry { w0: seen, w1: mine.load(word::at(way, 1)), w2 });
    } else if seen & PHASE != EMPTY {
        return Done { what: Insert::Racing, evicted: None };
    }

    // Claim: the client stands in the claim, for rivals to see.
    let generation = seen.wrapping_add(1 << GENERATION_AT) & GENERATION;
    let live = new.key.client | LIVE | (new.state.number() as u64 & 15) << STATE_AT | generation;
    let claim = live & !PHASE | CLAIMED;
    if mine.cas(place, seen, claim) != seen {
        return Done { what: Insert::Racing, evicted: None };
    }

    if let Some(lost) = rival::<T>(pair, Claim { word: claim, second, way }, new.key) {
        mine.swap(place, claim & GENERATION);
        return Done { what: lost, evicted };
    }

    let (dest_w1, dest_w2) = word::of_dest(new.dest, new.method, new.keeps_port);
    let entry =
        Entry { w0: live, w1: new.key.virtual_end | dest_w1, w2: new.expires as u64 | dest_w2 };
    mine.store(word::at(way, 1), entry.w1);
    mine.store(word::at(way, 2), entry.w2);
    mine.store(word::at(way, 3), new.peer);
    table.fill(mine, way);
    if mine.cas(place, claim, live) != claim {
        // Killed by a claim of the same client at a lower place.
        mine.swap(place, claim & GENERATION);
        return Done { what: Insert::Racing, evicted };
    }
    Done { what: Insert::New(Hit { bucket: mine, way, entry }), evicted }
}

/// A client's two buckets; `twin` when they are one.
#[derive(Clone, Copy)]
struct Pair<B> {
    a: B,
    b: B,
    twin: bool,
}

/// Where to insert.
#[derive(Clone, Copy)]
struct Choice {
    second: bool,
    way: usize,
    /// Nobody's, when it was chosen; else somebody's who may be given up.
    is_free: bool,
}

/// A slot that is claimed but not yet published.
#[derive(Clone, Copy)]
struct Claim {
    word: u64,
    second: bool,
    way: usize,
}

/// Where to insert: a free way, of the first bucket unless it is crowded; else the best victim.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a way is below eight")]
fn choose<T: Buckets>(pair: Pair<T::Bucket>, now: u32) -> Option<Choice> {
    let (free_a, free_b) = (free_way::<T>(pair.a), free_way::<T>(pair.b));
    let (used_a, used_b) = (free_a >> 4, free_b >> 4);
    let (is_free, second, chosen) =
        if used_a < WAYS as u64 && (used_a < FIRST_CROWDED || used_b >= used_a) {
            (true, false, free_a)
        } else if used_b < WAYS as u64 {
            (true, true, free_b)
        } else {
            let (victim_a, victim_b) = (victim::<T>(pair.a, now), victim::<T>(pair.b, now));
            if (victim_a | victim_b) >> 8 == 0 {
                return None;
            }
            if victim_b >> 8 > victim_a >> 8 {
                (false, true, victim_b)
            } else {
                (false, false, victim_a)
            }
        };
    // verifier: a way below eight
    // verifier: up to 6.7 it knows no bounds of what was or'ed together; the compiler must not, either
    let chosen = T::veil(chosen);
    Some(Choice { second, way: chosen as usize & (WAYS - 1), is_free })
}

/// Of one bucket: ways in use << 4 | the last free way.
#[inline(always)]
fn free_way<T: Buckets>(bucket: T::Bucket) -> u64 {
    let (mut at, mut used, mut way) = (0u64, 0u64, 0usize);
    while way < WAYS {
        let taken = some::<T>(bucket.load(word::at(way, 0)) & PHASE);
        used += taken;
        at ^= (at ^ way as u64) & taken.wrapping_sub(1);
        way += 1;
    }
    at | used << 4
}

/// Of one bucket: rank << 8 | way of the connection to give up; rank 0 if there is none.
#[inline(always)]
fn victim<T: Buckets>(bucket: T::Bucket, now: u32) -> u64 {
    let (mut best, mut way) = (0u64, 0usize);
    while way < WAYS {
        let rank = rank::<T>(bucket.load(word::at(way, 0)), bucket.load(word::at(way, 2)), now);
        let rank = rank << 8 | way as u64;
        best ^= (best ^ rank) & less::<T>(best, rank).wrapping_neg();
        way += 1;
    }
    best
}

/// States that a full bucket gives up although their time is not over: half-open ones …
const HALF_OPEN: u64 = 1 << State::SYN_SENT.number()
    | 1 << State::SYN_RECV.number()
    | 1 << State::SYNACK.number()
    | 0x7f << (State::SCTP_NONE.number() + 1);
/// … and, before them, closed ones, and templates whose client has never completed a connection
/// (`drop_entry`'s `IP_VS_CTPL_S_ASSURED`): a flood would fill the table with them.
const CLOSED: u64 = 1 << State::TIME_WAIT.number()
    | 1 << State::CLOSE.number()
    | 1 << State::SCTP_CLOSED.number()
    | 1 << State::NONE.number();

/// How gladly a connection is given up; 0: not at all. Expired before closed before half-open;
/// among equals the one nearest its end.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half of w2 is the expiry")]
fn rank<T: Buckets>(w0: u64, w2: u64, now: u32) -> u64 {
    let state = word::state_number(w0);
    // 2^31 and above once the time is over.
    let age = now.wrapping_sub(w2 as u32).wrapping_add(1 << 31) as u64;
    let expired = 1 - less::<T>(age, 1 << 31);
    let class = expired << 34 | (CLOSED >> state & 1) << 33 | (HALF_OPEN >> state & 1) << 32;
    let live = 1 - some::<T>((w0 & PHASE) ^ LIVE);
    (class | age & some::<T>(class).wrapping_neg()) & live.wrapping_neg()
}

/// After the claim, a full barrier: is this connection there already, or being made? Of two claims
/// of a client the lower place wins. `None`: no rival is left.
#[inline(always)]
fn rival<T: Buckets>(pair: Pair<T::Bucket>, claim: Claim, key: Key) -> Option<Insert<T::Bucket>> {
    let others = others::<T>(pair, claim.word);
    if others <= 1 {
        return None;
    }
    let place = if claim.second { WAYS + claim.way } else { claim.way };
    let rivals = rivals::<T>(pair, claim.word, place, key);
    if rivals.live_at != 0 {
        return Some(exists(pair.of(rivals.live_at), key));
    }
    if rivals.claims == 0 {
        return None;
    }
    if rivals.claims > 1 || less::<T>(rivals.claimed_at, place as u64) != 0 {
        return Some(Insert::Racing);
    }
    let (bucket, way) = pair.of(rivals.claimed_at);
    let mut w0 = bucket.load(word::at(way, 0));
    if (w0 ^ claim.word) & (CLIENT | PHASE) == 0 {
        let was = bucket.cas(word::at(way, 0), w0, w0 & !PHASE | KILLED);
        w0 = if was == w0 { 0 } else { was };
    }
    // Published before it could be killed?
    ((w0 ^ (claim.word | LIVE)) & (CLIENT | PHASE) == 0).then_some(Insert::Racing)
}

/// The rivals of a claim, gathered without a branch; the decisions come after.
struct Rivals {
    /// Place | 16 of the connection itself, or 0.
    live_at: u64,
    /// Place of another claim of the client.
    claimed_at: u64,
    /// How many other claims.
    claims: u64,
}

impl<B: Bucket> Pair<B> {
    /// The bucket and way of a place.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a place is below sixteen")]
    fn of(&self, place: u64) -> (B, usize) {
        let bucket = if place as usize & WAYS == 0 { self.a } else { self.b };
        (bucket, place as usize & (WAYS - 1))
    }
}

/// How many words of both buckets show the claim's client, the claim's own included.
#[inline(always)]
fn others<T: Buckets>(pair: Pair<T::Bucket>, claim: u64) -> u64 {
    let (mut others, mut way) = (0, 0);
    while way < WAYS {
        let (a, b) = (pair.a.load(word::at(way, 0)), pair.b.load(word::at(way, 0)));
        others += 2 - some::<T>((a ^ claim) & CLIENT) - some::<T>((b ^ claim) & CLIENT);
        way += 1;
    }
    others
}

#[inline(always)]
fn rivals<T: Buckets>(pair: Pair<T::Bucket>, claim: u64, place: usize, key: Key) -> Rivals {
    let mut found = Rivals { live_at: 0, claimed_at: 0, claims: 0 };
    let mut p = 0;
    while p < 2 * WAYS {
        let (bucket, way) = if p < WAYS { (pair.a, p) } else { (pair.b, p - WAYS) };
        let (w0, w1) = (bucket.load(word::at(way, 0)), bucket.load(word::at(way, 1)));
        // A bucket that is both is counted once.
        let counts = if p < WAYS { 1 } else { 1 - pair.twin as u64 };
        let same = counts & some::<T>((p ^ place) as u64) & (1 - some::<T>((w0 ^ claim) & CLIENT));
        let claimed = same & (1 - some::<T>((w0 & PHASE) ^ CLAIMED));
        let live = same & (1 - some::<T>((w0 & PHASE) ^ LIVE | (w1 ^ key.virtual_end) & ENDPOINT));
        found.claims += claimed;
        found.claimed_at |= claimed.wrapping_neg() & p as u64;
        found.live_at |= live.wrapping_neg() & (p as u64 | 16);
        p += 1;
    }
    found
}

/// The connection that stands at a place already, unless it has just gone.
#[inline(always)]
fn exists<B: Bucket>((bucket, way): (B, usize), key: Key) -> Insert<B> {
    let w0 = bucket.load(word::at(way, 0));
    let (w1, w2) = (bucket.load(word::at(way, 1)), bucket.load(word::at(way, 2)));
    if (w0 ^ (key.client | LIVE)) & (CLIENT | PHASE) == 0
        && (w1 ^ key.virtual_end) & ENDPOINT == 0
        && word::same_connection(bucket.load(word::at(way, 0)), w0)
    {
        Insert::Exists(Hit { bucket, way, entry: Entry { w0, w1, w2 } })
    } else {
        Insert::Racing
    }
}

/// 1 if x is not 0, else 0, without a branch.
#[inline(always)]
fn some<T: Buckets>(x: u64) -> u64 {
    T::veil(T::veil(x | x.wrapping_neg()) >> 63)
}

/// 1 if a < b, both below 2^63, without a branch.
#[inline(always)]
fn less<T: Buckets>(a: u64, b: u64) -> u64 {
    T::veil(T::veil(a.wrapping_sub(b)) >> 63)
}
