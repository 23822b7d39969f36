//! Maglev hashing.
//!
//! ```text
//! H(address, port, key, offset) = hsiphash(offset + port + address, key)        P = 4093
//! bucket = H(client, port, key 1, offset) mod P            offset 0; port 0 without mh-port
//! ```
//!
//! Each real server has a walk over all buckets, from H(its address, its port, key 1, 0) mod P by
//! steps of H(…, key 2, 0) mod (P - 1) + 1. The table is filled in turns: in the order of the list
//! each takes as many free buckets in a row along its walk as its share of the weights says. Shares
//! are of the *last weight above 0*, so a quiesced real server keeps its buckets and the clients of
//! others stay where they are. What stands in the bucket is chosen; when it is quiesced or
//! overloaded nothing is, unless `mh-fallback`: then the probe goes on with an offset that begins at
//! that bucket's number and goes up by one, mod P.
//!
//! `ip_vs_mh.c`: `ip_vs_mh_get`, `ip_vs_mh_get_fallback`, `ip_vs_mh_permutate`,
//! `ip_vs_mh_populate`; the paper: Eisenbud et al., "Maglev: A Fast and Reliable Software Network
//! Load Balancer", NSDI 2016.

use core::{error::Error, fmt, hint::black_box};

use super::{
    hint::Hint,
    kind::Flags,
    pool::Pool,
    table::{self, EMPTY},
};
use crate::hash::{Key, hsiphash_1u32};

/// How many buckets there are: the kernel's default prime (`IP_VS_MH_TAB_INDEX` 12).
pub const SIZE: usize = 4093;

/// A real server takes at most 2^6 buckets a turn.
const TURN_BITS: u32 = 6;

const PRIME: u32 = 4093;
const KEY_1: Key = Key(2_654_435_761, 2_654_435_761);
const KEY_2: Key = Key(2_654_446_892, 2_654_446_892);

/// A real server as the table is built from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its address, folded by the *service's* family.
    pub address: u32,
    /// Its port.
    pub port: u16,
    /// The last weight above 0 that it had; 0 when it was added with 0 and never edited.
    pub last_weight: u32,
}

/// One real server's walk while the table is filled: scratch memory for [`build`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    at: usize,
    step: usize,
    turn: u32,
}

/// More real servers than buckets, or than there is scratch memory for. The table is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// Chooses.
#[inline(always)]
pub fn choose<P: Pool>(flags: Flags, hint: Hint, pool: &P) -> Option<u32> {
    let port = if flags.contains(Flags::PORT) { hint.client_port } else { 0 };
    // verifier: LLVM knows that this is below 4093 and takes the pool's own check away, without the
    // black box.
    let bucket_at = move |offset| black_box(hash(hint.client, port, KEY_1, offset) % PRIME);
    let first = bucket_at(0);
    match table::available(first, pool) {
        None if flags.contains(Flags::FALLBACK) => table::fall_back(first, PRIME, bucket_at, pool),
        found => found,
    }
}

/// Fills the table. To be done anew after every addition, edit and deletion.
///
/// # Errors
///
/// [`TooMany`], as IPVS leaves a table alone that has fewer buckets than there are real servers.
pub fn build(
    servers: &[Server],
    scratch: &mut [Walk],
    table: &mut [u16; SIZE],
) -> Result<(), TooMany> {
    let walks = scratch.get_mut(..servers.len()).ok_or(TooMany)?;
    if servers.len() > SIZE {
        return Err(TooMany);
    }
    begin(servers, walks);
    table.fill(EMPTY);
    let mut free = SIZE;
    while walks.iter().any(|walk| walk.turn > 0) && free > 0 {
        for (position, walk) in (0..EMPTY).zip(walks.iter_mut()) {
            for _ in 0..walk.turn.min(u32::try_from(free).unwrap_or(u32::MAX)) {
                walk.take(position, table);
                free -= 1;
            }
        }
    }
    Ok(())
}

impl Walk {
    /// Takes the first free bucket along the walk; there is one.
    fn take(&mut self, position: u16, table: &mut [u16; SIZE]) {
        while table[self.at] != EMPTY {
            self.at = (self.at + self.step) % SIZE;
        }
        table[self.at] = position;
    }
}

/// Sets every walk to its beginning.
fn begin(servers: &[Server], walks: &mut [Walk]) {
    let (common, largest) = servers.iter().fold((0, 0), |(common, largest), server| {
        (super::wrr::gcd(common, server.last_weight), server.last_weight.max(largest))
    });
    let common = common.max(1);
    let shift = (u32::BITS - (largest / common).leading_zeros()).saturating_sub(TURN_BITS);
    for (server, walk) in servers.iter().zip(walks) {
        let hash = |key| hash(server.address, server.port, key, 0);
        *walk = Walk {
            at: (hash(KEY_1) % PRIME) as usize,
            step: (hash(KEY_2) % (PRIME - 1) + 1) as usize,
            turn: ((server.last_weight / common) >> shift).max(server.last_weight.min(1)),
        };
    }
}

#[inline(always)]
const fn hash(address: u32, port: u16, key: Key, offset: u32) -> u32 {
    hsiphash_1u32(offset.wrapping_add(port as u32).wrapping_add(address), key)
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more real servers than buckets")
    }
}

impl Error for TooMany {}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::{super::testing::Servers, *};

    /// List order 3, 2, 1 with weights 1, 2, 1.
    fn servers(service_port: u16) -> Vec<Server> {
        let server = |(last, last_weight)| Server {
            address: u32::from_be_bytes([10, 1, 0, last]),
            port: service_port,
            last_weight,
        };
        [(3, 1), (2, 2), (1, 1)].map(server).to_vec()
    }

    fn table(servers: &[Server]) -> [u16; SIZE] {
        let mut table = [0; SIZE];
        build(servers, &mut vec![Walk::default(); servers.len()], &mut table).unwrap();
        table
    }

    /// The numbers 3, 2, 1 of a table that was built from [`servers`].
    fn numbers(table: &[u16]) -> Vec<u16> {
        table.iter().map(|position| 3 - position).collect()
    }

    #[test]
    fn fills_the_table_as_the_kernel_does() {
        let table = table(&servers(80));
        assert_eq!(
            numbers(&table[..20]),
            [3, 2, 3, 2, 3, 2, 3, 2, 2, 1, 2, 1, 3, 1, 3, 2, 3, 1, 2, 2]
        );
        let count = |number| table.iter().filter(|&&position| position == number).count();
        assert_eq!([count(0), count(1), count(2)], [1024, 2046, 1023]);
    }

    #[test]
    fn walks_begin_and_step_by_the_two_keys() {
        let mut walks = [Walk::default(); 3];
        begin(&servers(80), &mut walks);
        assert_eq!(walks.map(|walk| (walk.at, walk.step)), [(2424, 45), (2769, 572), (310, 1461)]);
        assert_eq!(walks.map(|walk| walk.turn), [1, 2, 1]);
    }

    #[test]
    fn turns_are_cut_to_six_bits_and_never_to_nothing() {
        let mut walks = [Walk::default(); 3];
        let mut servers = servers(80);
        servers[0].last_weight = 65_535;
        servers[1].last_weight = 0;
        begin(&servers, &mut walks);
        assert_eq!(walks.map(|walk| walk.turn), [63, 0, 1]);
    }

    #[test]
    fn hashes_the_client() {
        let mut pool = Servers::added(&[(1, 1), (2, 2), (3, 1)]);
        pool.set_table(&table(&servers(2007)));
        let chosen = |flags, pool: &Servers| -> Vec<u32> {
            let client = |last| u32::from_be_bytes([172, 16, 1, last]);
            let hint = |last| Hint { client: client(last), ..Hint::default() };
            let id = |last| choose(flags, hint(last), pool).map_or(0, |found| pool.id(found));
            (1..=12).map(id).collect()
        };
        let plain = Flags::default();
        assert_eq!(chosen(plain, &pool), [1, 2, 1, 2, 2, 2, 3, 3, 2, 2, 3, 2]);
        pool.candidate_mut(2).weight = 0;
        assert_eq!(chosen(plain, &pool), [1, 0, 1, 0, 0, 0, 3, 3, 0, 0, 3, 0]);
        assert_eq!(chosen(Flags::FALLBACK, &pool), [1, 3, 1, 3, 3, 3, 3, 3, 1, 3, 3, 3]);

        let left = [servers(2007)[0], servers(2007)[2]];
        let mut pool = Servers::added(&[(1, 1), (3, 1)]);
        pool.set_table(&table(&left));
        assert_eq!(chosen(plain, &pool), [1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 1]);
    }

    #[test]
    fn hashes_the_port_too_when_told() {
        let mut pool = Servers::added(&[(1, 1), (2, 2), (3, 1)]);
        pool.set_table(&table(&servers(2008)));
        let id = |index: u8| {
            let client = u32::from_be_bytes([172, 16, 1, index + 1]);
            let hint = Hint { client, client_port: 30000 + u16::from(index), ..Hint::default() };
            pool.id(choose(Flags::PORT, hint, &pool).unwrap())
        };
        let ids: Vec<_> = (0..12).map(id).collect();
        assert_eq!(ids, [2, 2, 2, 2, 2, 3, 1, 2, 3, 2, 3, 2]);
    }

    #[test]
    fn no_weights_no_table() {
        assert_eq!(table(&[]), [EMPTY; SIZE]);
        let quiesced = Server { last_weight: 0, ..servers(80)[0] };
        assert_eq!(table(&[quiesced]), [EMPTY; SIZE]);
    }

    #[test]
    fn more_real_servers_than_buckets_leave_the_table_alone() {
        let server = servers(80)[0];
        let mut table = [7; SIZE];
        let many = vec![server; SIZE + 1];
        assert_eq!(build(&many, &mut vec![Walk::default(); SIZE + 1], &mut table), Err(TooMany));
        assert_eq!(build(&[server], &mut [], &mut table), Err(TooMany));
        assert_eq!(table, [7; SIZE]);
    }
}
