//! The table's hash: where a client's two buckets are.

/// Two hashes of a client under a secret.
///
/// The secret is random, made with the table and never shown: without it an attacker cannot aim many
/// clients at one bucket.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "takes the two halves of a word")]
pub const fn hashes(client: u64, seed: [u64; 2]) -> (u32, u32) {
    // Two multiplications, each by a secret odd number: no difference of two clients leads to one bucket
    // under many secrets, as it would under multipliers that everybody knows. A product's bit sees only
    // the bits below it, so each time the high half is first laid over the low one.
    let mixed = (client ^ client >> 32).wrapping_mul(odd(seed[0]));
    let mixed = (mixed ^ mixed >> 32).wrapping_mul(odd(seed[1]));
    ((mixed >> 32) as u32, mixed as u32)
}

/// A multiplier from a secret; usable from any.
#[inline(always)]
const fn odd(secret: u64) -> u64 {
    (secret ^ 0x9e37_79b9_7f4a_7c15) | 1
}

#[cfg(test)]
mod tests {
    use super::{super::word::end, *};
    use crate::net::{Be16, Be32};

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

    /// Random words, the same ones each time (splitmix64).
    fn word(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// How uneven the buckets are filled: 1 as by chance, 0 if all are alike.
    fn unevenness(buckets: impl Iterator<Item = u32>) -> f64 {
        let mut fill = vec![0u32; 4096];
        let mut count = 0u32;
        for hash in buckets {
            fill[hash as usize >> 20] += 1;
            count += 1;
        }
        let mean = f64::from(count) / 4096.0;
        let squares: f64 = fill.iter().map(|fill| (f64::from(*fill) - mean).powi(2)).sum();
        squares / f64::from(count)
    }

    #[test]
    fn clients_alike_fill_no_bucket_more_than_chance_would_under_any_secret() {
        // By number: ports of one client; hosts of a /16 with one port; /24s of clients behind one
        // port range; every other port, as kernels choose them.
        let families: [fn(u16) -> (u32, u16); 4] = [
            |n| (0x0a00_0001, n),
            |n| (0x0a00_0000 + u32::from(n), 40_000),
            |n| (0x0a00_0000 + u32::from(n >> 8 << 8), 1024 + (n & 255)),
            |n| (0xc0a8_0000 + u32::from(n >> 12), (n & 4095) * 2 + 32_768),
        ];
        let mut state = 1;
        for _ in 0..64 {
            let seed = [word(&mut state), word(&mut state)];
            for (number, family) in families.iter().enumerate() {
                let of = |n| {
                    let (address, port) = family(n);
                    hashes(end(Be32::new(address), Be16::new(port)), seed)
                };
                let first = unevenness((0..=u16::MAX).map(|n| of(n).0));
                let second = unevenness((0..=u16::MAX).map(|n| of(n).1));
                // Nine deviations of what chance does.
                assert!(first < 1.2 && second < 1.2, "{number}, {seed:x?}: {first} {second}");
            }
        }
    }
}
