//! A table of connections whose addresses do not fit into their words: IPv6.
//!
//! The words are those of IPv4, with [`short`] of an address in its place. Behind the 32 words of a
//! bucket stand 32 more, four a way, which are its connection's *ends*: the addresses themselves. They
//! are written between claim and publication, and what is found by its words counts only if its ends
//! are the right ones too.

use super::{Bucket, Buckets, Done, Hit, Insert, Key, New, WAYS, WORDS, find, insert};
use crate::net::{Addr6, Be32};

/// Words of a bucket with ends.
pub const BUCKET: usize = WAYS * (WORDS + PARTS);
/// Words of a connection's ends.
const PARTS: usize = 4;

/// The addresses that a connection is between. A template's are its clients' in common, and its
/// virtual address or its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client's.
    pub client: Addr6,
    /// The one that it calls.
    pub virtual_address: Addr6,
}

impl Ends {
    /// The ends of a connection that was found; none when the slot has changed hands since.
    #[inline(always)]
    pub fn read<B: Bucket>(hit: &Hit<B>) -> Option<Self> {
        let part = |k| hit.bucket.load(at(hit.way, k));
        let ends =
            Self { client: Addr6([part(0), part(1)]), virtual_address: Addr6([part(2), part(3)]) };
        hit.stands().then_some(ends)
    }

    /// Whether a connection that was found has these ends.
    #[inline(always)]
    pub fn are_of<B: Bucket>(&self, hit: &Hit<B>) -> bool {
        let [a, b, c, d] = self.parts();
        let differs = |k, part| hit.bucket.load(at(hit.way, k)) ^ part;
        differs(0, a) | differs(1, b) | differs(2, c) | differs(3, d) == 0 && hit.stands()
    }

    #[inline(always)]
    fn write<B: Bucket>(&self, bucket: B, way: usize) {
        let [a, b, c, d] = self.parts();
        bucket.store(at(way, 0), a);
        bucket.store(at(way, 1), b);
        bucket.store(at(way, 2), c);
        bucket.store(at(way, 3), d);
    }

    #[inline(always)]
    fn parts(&self) -> [u64; PARTS] {
        let ([a, b], [c, d]) = (self.client.0, self.virtual_address.0);
        [a, b, c, d]
    }
}

/// [`find`](super::find) in a table with ends: those of another connection are a miss.
#[inline(always)]
pub fn find_between<T: Buckets>(
    table: &T,
    hashes: (u32, u32),
    key: Key,
    ends: &Ends,
) -> Option<Hit<T::Bucket>> {
    find(table, hashes, key).filter(|hit| ends.are_of(hit))
}

/// [`insert`](super::insert) into a table with ends. While a connection of other ends has the same
/// words, this one cannot be, as if another CPU were just making it: [`Insert::Racing`].
#[inline(always)]
pub fn insert_between<T: Buckets>(
    table: &T,
    hashes: (u32, u32),
    new: New,
    ends: &Ends,
) -> Done<T::Bucket> {
    let done = insert(&Filling { table, ends }, hashes, new);
    match done.what {
        Insert::Exists(hit) if !ends.are_of(&hit) => Done { what: Insert::Racing, ..done },
        _ => done,
    }
}

/// Sends for a bucket's ends. Which of them are needed, only the words tell, and to wait for those first
/// would cost as much again.
#[inline(always)]
pub fn expect<B: Bucket>(bucket: B) {
    const LINE: usize = 8;
    let mut part = 0;
    while part < WAYS * PARTS {
        bucket.expect(at(0, part));
        part += LINE;
    }
}

/// What stands for an IPv6 address in words: a hash under the table's secret.
#[inline(always)]
#[must_use]
pub const fn short(address: Addr6, seed: [u64; 2]) -> Be32 {
    // Each step is a bijection of the half that comes in, so addresses of one network differ in all
    // 64 bits of which half are kept; which of two networks meet, only the secret tells. Neither half
    // waits for the other.
    let [first, second] = address.0;
    let first = mix(first, seed[1] ^ 0x2545_f491_4f6c_dd1d);
    let second = mix(second, seed[0] ^ 0x9fb2_1c65_1e98_df25);
    let mixed = mix(first ^ second, seed[1]);
    Be32::from_raw((mixed >> 32) as u32)
}

#[inline(always)]
const fn mix(word: u64, secret: u64) -> u64 {
    (word ^ word >> 32).wrapping_mul(secret | 1)
}

/// The table, while a connection with these ends comes into it.
struct Filling<'a, T> {
    table: &'a T,
    ends: &'a Ends,
}

impl<T: Buckets> Buckets for Filling<'_, T> {
    type Bucket = T::Bucket;

    #[inline(always)]
    fn count(&self) -> u32 {
        self.table.count()
    }

    #[inline(always)]
    fn at(&self, index: u32) -> Option<T::Bucket> {
        self.table.at(index)
    }

    #[inline(always)]
    fn veil(value: u64) -> u64 {
        T::veil(value)
    }

    #[inline(always)]
    fn fill(&self, bucket: T::Bucket, way: usize) {
        self.ends.write(bucket, way);
    }
}

/// Where part `k` of a way's ends lies in its bucket.
#[inline(always)]
const fn at(way: usize, k: usize) -> usize {
    WAYS * WORDS + way * PARTS + k
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::Ipv6Addr};

    use super::*;
    use crate::net::Addr;

    const SEED: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

    fn address(network: u64, host: u64) -> Addr6 {
        Addr6::new(Addr::from(Ipv6Addr::from_bits(u128::from(network) << 64 | u128::from(host))))
    }

    #[test]
    fn hardly_two_addresses_have_one_short() {
        const SITE: u64 = 0x2001_0db8_0000_0000;
        let families: [fn(u64) -> Addr6; 4] = [
            |n| address(SITE, n),
            |n| address(SITE + n, 1),
            |n| address(SITE, n << 32),
            |n| address(SITE | n >> 8, (n & 255) << 48),
        ];
        for family in families {
            let shorts: BTreeSet<_> = (0..1 << 16).map(|n| short(family(n), SEED)).collect();
            // By chance half a pair meets.
            assert!(shorts.len() >= (1 << 16) - 4, "{}", shorts.len());
        }
    }

    #[test]
    fn which_addresses_meet_depends_on_the_secret() {
        let other = [SEED[0] ^ 1 << 20, SEED[1]];
        let same =
            (0..1 << 12).filter(|n| short(address(1, *n), SEED) == short(address(1, *n), other));
        assert!(same.count() < 4);
    }

    #[test]
    fn every_part_has_a_place_of_its_own_behind_the_words() {
        let mut places: Vec<_> =
            (0..WAYS).flat_map(|way| (0..PARTS).map(move |k| at(way, k))).collect();
        places.sort_unstable();
        assert_eq!(places, (WAYS * WORDS..BUCKET).collect::<Vec<_>>());
    }
}
