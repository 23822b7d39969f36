//! Finding a connection.

use super::{
    Bucket, Buckets, Entry, Hit, Key, WAYS, index,
    word::{self, CLIENT, ENDPOINT, LIVE, PHASE},
};

/// The connection of a request.
#[inline(always)]
pub fn find<T: Buckets>(table: &T, hashes: (u32, u32), key: Key) -> Option<Hit<T::Bucket>> {
    let count = table.count();
    if let Some(hit) = request_in::<T>(table.at(index(hashes.0, count))?, key) {
        return Some(hit);
    }
    request_in::<T>(table.at(index(hashes.1, count))?, key)
}

/// The NAT connection of a reply: the packet's destination is the client, its source the peer,
/// [`end`](word::end) of the real server's address and port.
#[inline(always)]
pub fn find_reply<T: Buckets>(
    table: &T,
    hashes: (u32, u32),
    client: u64,
    peer: u64,
) -> Option<Hit<T::Bucket>> {
    let count = table.count();
    if let Some(hit) = reply_in::<T>(table.at(index(hashes.0, count))?, client, peer) {
        return Some(hit);
    }
    reply_in::<T>(table.at(index(hashes.1, count))?, client, peer)
}

#[inline(always)]
fn request_in<T: Buckets>(bucket: T::Bucket, key: Key) -> Option<Hit<T::Bucket>> {
    let mut way = 0;
    while way < WAYS {
        let w0 = bucket.load(word::at(way, 0));
        if (w0 ^ (key.client | LIVE)) & (CLIENT | PHASE) == 0 {
            let w1 = bucket.load(word::at(way, 1));
            if (w1 ^ key.virtual_end) & ENDPOINT == 0 {
                return seen::<T>(bucket, way, w0, w1);
            }
        }
        way += 1;
    }
    None
}

#[inline(always)]
fn reply_in<T: Buckets>(bucket: T::Bucket, client: u64, peer: u64) -> Option<Hit<T::Bucket>> {
    let mut way = 0;
    while way < WAYS {
        let w0 = bucket.load(word::at(way, 0));
        if (w0 ^ (client | LIVE)) & (CLIENT | PHASE) == 0
            && (bucket.load(word::at(way, 3)) ^ peer) & ENDPOINT == 0
        {
            return seen::<T>(bucket, way, w0, bucket.load(word::at(way, 1)));
        }
        way += 1;
    }
    None
}

/// The hit, if the words read since w0 belong to it: only if the slot was not given away meanwhile.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a way is below eight")]
fn seen<T: Buckets>(bucket: T::Bucket, way: usize, w0: u64, w1: u64) -> Option<Hit<T::Bucket>> {
    // verifier: one unknown way below eight, not sixteen known ones that it would follow to the end.
    let way = T::veil(way as u64) as usize & (WAYS - 1);
    let w2 = bucket.load(word::at(way, 2));
    word::same_connection(bucket.load(word::at(way, 0)), w0).then_some(Hit {
        bucket,
        way,
        entry: Entry { w0, w1, w2 },
    })
}
