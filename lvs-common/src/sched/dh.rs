//! Destination hashing.
//!
//! ```text
//! bucket = hash_32(destination, 8 bits)
//! ```
//!
//! The table is filled from the list, round and round, one bucket each: weights count for nothing,
//! except that a quiesced or overloaded real server refuses. With one virtual address there is one
//! bucket: meant for fwmark services and transparent caches.
//!
//! `ip_vs_dh.c`: `ip_vs_dh_schedule`, `ip_vs_dh_reassign`.

use super::{
    hint::Hint,
    pool::Pool,
    sh::{self, SIZE},
    table::{self, EMPTY},
};
use crate::hash::hash_32;

/// Chooses.
#[inline(always)]
pub fn choose<P: Pool>(hint: Hint, pool: &P) -> Option<u32> {
    table::available(hash_32(hint.destination, sh::BITS), pool)
}

/// Fills the table for so many real servers. To be done anew after every addition and deletion.
pub fn build(servers: usize, table: &mut [u16; SIZE]) {
    table.fill(EMPTY);
    let servers = u16::try_from(servers).unwrap_or(EMPTY);
    for (bucket, position) in table.iter_mut().zip((0..servers).cycle()) {
        *bucket = position;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Servers, *};

    #[test]
    fn the_destination_decides_and_weights_do_not() {
        let mut servers = Servers::added(&[(1, 1), (2, 100), (3, 1)]);
        let mut table = [0; SIZE];
        build(3, &mut table);
        assert_eq!(table[..5], [0, 1, 2, 0, 1]);
        servers.set_table(&table);
        let to = |destination| choose(Hint { destination, ..Hint::default() }, &servers);
        // Buckets 66, 164 and 50.
        assert_eq!(to(u32::from_be_bytes([172, 16, 1, 1])), Some(0));
        assert_eq!(to(u32::from_be_bytes([172, 16, 1, 2])), Some(2));
        assert_eq!(to(u32::from_be_bytes([192, 0, 2, 1])), Some(2));
    }

    #[test]
    fn quiesced_overloaded_and_nobody_refuse() {
        let mut servers = Servers::added(&[(1, 0)]);
        let mut table = [0; SIZE];
        build(1, &mut table);
        servers.set_table(&table);
        assert_eq!(choose(Hint::default(), &servers), None);
        servers.candidate_mut(1).weight = 1;
        assert_eq!(choose(Hint::default(), &servers), Some(0));
        servers.candidate_mut(1).overloaded = 1;
        assert_eq!(choose(Hint::default(), &servers), None);
        build(0, &mut table);
        assert_eq!(table, [EMPTY; SIZE]);
    }
}
