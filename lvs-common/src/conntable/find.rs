//! Finding a connection.

use super::{
    Bucket, Buckets, Entry, Hit, Key, WAYS, index,
    word::{self, CLIENT, ENDPOINT, LIVE, PHASE},
};

/// The connection of a request.
#[inline(always)]
pub fn find<T: Buckets>(table: &T, hashes: (u32, u32), key: Key) -> Option<Hit<T::Bucket>> {
    let differs = |bucket: T::Bucket, way| bucket.load(word::at(way, 1)) ^ key.virtual_end;
    let at = |hash| approach(table, hash);
    if let Some(hit) = within::<T>(at(hashes.0)?, key.client, differs) {
        return Some(hit);
    }
    within::<T>(at(hashes.1)?, key.client, differs)
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
    let differs = |bucket: T::Bucket, way| bucket.load(word::at(way, 3)) ^ peer;
    let at = |hash| {
        let bucket = approach(table, hash)?;
        bucket.expect(word::at(0, 3));
        Some(bucket)
    };
    if let Some(hit) = within::<T>(at(hashes.0)?, client, differs) {
        return Some(hit);
    }
    within::<T>(at(hashes.1)?, client, differs)
}

/// The bucket of a hash, with all that every hit in it needs on its way from memory: the line of first
/// words tells which of the two lines behind it is needed, and to wait for that costs as much again.
#[inline(always)]
fn approach<T: Buckets>(table: &T, hash: u32) -> Option<T::Bucket> {
    let bucket = table.at(index(hash, table.count()))?;
    bucket.expect(word::at(0, 1));
    bucket.expect(word::at(WAYS / 2, 1));
    Some(bucket)
}

/// The client's connection within a bucket that `differs` finds no difference of the end in.
#[inline(always)]
fn within<T: Buckets>(
    bucket: T::Bucket,
    client: u64,
    differs: impl Fn(T::Bucket, usize) -> u64,
) -> Option<Hit<T::Bucket>> {
    let mut ways = ways_of::<T>(bucket, client);
    let mut tries = 0;
    while tries < WAYS && ways != 0 {
        // verifier: one unknown way below eight, not eight known ones that it would follow to the end.
        let way = lowest(T::veil(ways));
        let w0 = bucket.load(word::at(way, 0));
        if (w0 ^ (client | LIVE)) & (CLIENT | PHASE) == 0 && differs(bucket, way) & ENDPOINT == 0 {
            return seen(bucket, way, w0);
        }
        ways &= ways - 1;
        tries += 1;
    }
    None
}

/// The ways where this client has connections, a bit each.
///
/// All at once and without a branch: where a connection stands cannot be foreseen, and each branch that
/// the CPU takes wrong costs more than all eight comparisons.
#[inline(always)]
fn ways_of<T: Buckets>(bucket: T::Bucket, client: u64) -> u64 {
    let (mut ways, mut way) = (0, 0);
    while way < WAYS {
        let differs = (bucket.load(word::at(way, 0)) ^ (client | LIVE)) & (CLIENT | PHASE);
        // Below zero only if nothing differs.
        ways |= T::veil(differs.wrapping_sub(1)) >> 63 << way;
        way += 1;
    }
    ways
}

/// The number of the lowest of eight bits, of which one at least is set.
#[inline(always)]
const fn lowest(bits: u64) -> usize {
    // A sequence of de Bruijn: bits 5 to 7 of the product are others for each bit. Four bits a number.
    const SEQUENCE: u64 = 0b1_0111;
    const NUMBERS: u64 = 0x5637_4210;
    let product = (bits & bits.wrapping_neg()) * SEQUENCE;
    (NUMBERS >> ((product >> 5 & 7) * 4) & 7) as usize
}

/// The hit, if the words read since w0 belong to it: only if the slot was not given away meanwhile.
#[inline(always)]
fn seen<B: Bucket>(bucket: B, way: usize, w0: u64) -> Option<Hit<B>> {
    let (w1, w2) = (bucket.load(word::at(way, 1)), bucket.load(word::at(way, 2)));
    word::same_connection(bucket.load(word::at(way, 0)), w0).then_some(Hit {
        bucket,
        way,
        entry: Entry { w0, w1, w2 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bit_is_found_whatever_stands_above_it() {
        for bits in 1..256u64 {
            assert_eq!(lowest(bits), bits.trailing_zeros() as usize, "{bits:#x}");
        }
    }
}
