//! Source hashing.
//!
//! ```text
//! bucket = (offset + hash_32(client + port, 8 bits)) mod 256     offset 0; port 0 without sh-port
//! ```
//!
//! The table is filled from the list, round and round, each real server taking as many buckets in a
//! row as its weight says, and one when it is quiesced. What stands in the bucket is chosen; when
//! it is quiesced or overloaded nothing is, unless `sh-fallback`: then the probe goes on with
//! offsets bucket, bucket + 1, … mod 256.
//!
//! `ip_vs_sh.c`: `ip_vs_sh_get`, `ip_vs_sh_get_fallback`, `ip_vs_sh_reassign`.

use super::{
    hint::Hint,
    kind::Flags,
    pool::Pool,
    table::{self, EMPTY},
};
use crate::hash::hash_32;

/// How many buckets there are: 2^8, as the kernel is built by default.
pub const SIZE: usize = 1 << BITS;

pub(super) const BITS: u32 = 8;

/// Chooses.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "256")]
pub fn choose<P: Pool>(flags: Flags, hint: Hint, pool: &P) -> Option<u32> {
    let port = if flags.contains(Flags::PORT) { u32::from(hint.client_port) } else { 0 };
    let hash = hash_32(hint.client.wrapping_add(port), BITS);
    match table::available(hash, pool) {
        None if flags.contains(Flags::FALLBACK) => {
            let bucket_at = move |offset: u32| offset.wrapping_add(hash) & (SIZE as u32 - 1);
            table::fall_back(hash, SIZE as u32, bucket_at, pool)
        }
        found => found,
    }
}

/// Fills the table. To be done anew after every addition, edit and deletion.
pub fn build(weights: &[u32], table: &mut [u16; SIZE]) {
    table.fill(EMPTY);
    let turn = |(position, &weight): (u16, &u32)| {
        core::iter::repeat_n(position, usize::try_from(weight).map_or(SIZE, |weight| weight.max(1)))
    };
    let turns = (0..EMPTY).zip(weights).cycle().flat_map(turn);
    for (bucket, position) in table.iter_mut().zip(turns) {
        *bucket = position;
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{super::testing::Servers, *};

    fn client(last: u8, client_port: u16) -> Hint {
        let client = u32::from_be_bytes([172, 16, 1, last]);
        Hint { client, client_port, ..Hint::default() }
    }

    fn service(of: &[(u32, u32)]) -> Servers {
        let mut servers = Servers::added(of);
        let mut table = [0; SIZE];
        build(&servers.weights(), &mut table);
        servers.set_table(&table);
        servers
    }

    /// Ids chosen for clients 1 to 12; 0: none.
    fn chosen(flags: Flags, servers: &Servers) -> Vec<u32> {
        let id = |hint| choose(flags, hint, servers).map_or(0, |position| servers.id(position));
        (0..12).map(|index| id(client(index + 1, 30000 + u16::from(index)))).collect()
    }

    #[test]
    fn hashes_the_clients_address() {
        let servers = service(&[(1, 1), (2, 2), (3, 1)]);
        assert_eq!(chosen(Flags::default(), &servers), [2, 3, 2, 3, 2, 1, 2, 1, 2, 2, 3, 2]);
    }

    #[test]
    fn hashes_the_port_too_when_told() {
        let servers = service(&[(1, 1), (2, 2), (3, 1)]);
        assert_eq!(chosen(Flags::PORT, &servers), [2, 2, 3, 3, 1, 1, 1, 2, 2, 2, 2, 3]);
    }

    #[test]
    fn a_quiesced_one_keeps_buckets_and_refuses() {
        let servers = service(&[(1, 1), (2, 0), (3, 1)]);
        assert_eq!(chosen(Flags::default(), &servers), [3, 1, 3, 1, 3, 0, 3, 1, 3, 0, 1, 0]);
        assert_eq!(chosen(Flags::FALLBACK, &servers), [3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 1, 1]);
    }

    #[test]
    fn nothing_to_fall_back_on() {
        assert_eq!(chosen(Flags::FALLBACK, &service(&[(1, 0), (2, 0)])), [0; 12]);
        assert_eq!(chosen(Flags::FALLBACK, &service(&[])), [0; 12]);
    }

    #[test]
    fn a_weight_above_the_table_takes_it_all() {
        let mut table = [0; SIZE];
        build(&[300, 1], &mut table);
        assert_eq!(table, [0; SIZE]);
        build(&[2, 0, 1], &mut table);
        assert_eq!(table[..6], [0, 0, 1, 2, 0, 0]);
    }
}
