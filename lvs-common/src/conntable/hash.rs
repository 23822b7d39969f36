//! The table's hash: where a client's two buckets are.

/// Two hashes of a client under a secret.
///
/// The secret is random, made with the table and never shown: without it an attacker cannot aim many
/// clients at one bucket.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "takes the two halves of a word")]
pub const fn hashes(client: u64, seed: [u64; 2]) -> (u32, u32) {
    // lookup3's final mix (Jenkins), as jhash uses it, of the client and the seed.
    let mut a = (client as u32).wrapping_add(seed[0] as u32);
    let mut b = ((client >> 32) as u32).wrapping_add((seed[0] >> 32) as u32);
    let mut c = seed[1] as u32;
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    (c, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_hashes_spread_clients_evenly_and_apart() {
        const BUCKETS: usize = 256;
        const CLIENTS: u64 = 256 * 64;
        let mut fill = [[0u32; BUCKETS]; 2];
        let mut same = 0;
        for client in 0..CLIENTS {
            let (a, b) = hashes(client << 32 | 0x0a00_0001, [0x1234_5678_9abc_def0, 42]);
            let (a, b) = (a as usize >> 24, b as usize >> 24);
            fill[0][a] += 1;
            fill[1][b] += 1;
            same += u64::from(a == b);
        }
        for counts in fill {
            // A Poisson spread around 64: six deviations are 48.
            assert!(counts.iter().all(|count| (16..112).contains(count)), "{counts:?}");
        }
        assert!(same < CLIENTS / 128, "{same}");
    }
}
