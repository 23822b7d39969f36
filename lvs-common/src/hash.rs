//! The hash functions by which IPVS's schedulers find their buckets.
//!
//! They take addresses folded to 32 bits, host order: an IPv4 address as it is, an IPv6 address by
//! [`fold_v6`].

#![forbid(unsafe_code)]
#![expect(clippy::inline_always, reason = "the program has no calls on the choosing path")]

/// An IPv6 address, as four words in host order, folded to one.
#[inline(always)]
#[must_use]
pub const fn fold_v6(words: [u32; 4]) -> u32 {
    let [a, b, c, d] = words;
    a ^ b ^ c ^ d
}

/// The upper `bits` (1 to 32) of the product with 2^32 divided by the golden ratio; `hash_32` in
/// `linux/hash.h`.
#[inline(always)]
#[must_use]
pub const fn hash_32(value: u32, bits: u32) -> u32 {
    const GOLDEN_RATIO_32: u32 = 0x61C8_8647;
    value.wrapping_mul(GOLDEN_RATIO_32) >> (32 - bits)
}

/// A key of [`hsiphash_1u32`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub u64, pub u64);

/// SipHash-1-3 of one 32-bit word, its four lanes folded and cut to 32 bits: what `hsiphash_1u32`
/// is on 64-bit kernels. (On 32-bit ones it is HalfSipHash-1-3, with other results.)
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is the hash")]
pub const fn hsiphash_1u32(word: u32, key: Key) -> u32 {
    // The last block holds the message's length in bytes above the message.
    let block = 4 << 56 | word as u64;
    let mut lanes = [
        0x736f_6d65_7073_6575 ^ key.0,
        0x646f_7261_6e64_6f6d ^ key.1,
        0x6c79_6765_6e65_7261 ^ key.0,
        0x7465_6462_7974_6573 ^ key.1 ^ block,
    ];
    lanes = sip_round(lanes);
    lanes[0] ^= block;
    lanes[2] ^= 0xff;
    lanes = sip_round(sip_round(sip_round(lanes)));
    (lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3]) as u32
}

#[inline(always)]
const fn sip_round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn v4(a: u8, b: u8, c: u8, d: u8) -> u32 {
        u32::from_be_bytes([a, b, c, d])
    }

    #[test]
    fn hash_32_gives_the_kernels_buckets() {
        let bucket = |value| hash_32(value, 8);
        assert_eq!(bucket(v4(172, 16, 1, 1)), 66);
        assert_eq!(bucket(v4(172, 16, 1, 2)), 164);
        assert_eq!(bucket(v4(192, 0, 2, 1)), 50);
        assert_eq!(bucket(v4(192, 0, 2, 1) + 40000), 214);
        assert_eq!(bucket(u32::MAX), 158);
        assert_eq!(bucket(u32::MAX.wrapping_add(65535)), 194);
    }

    #[test]
    fn hsiphash_gives_the_64_bit_kernels_words() {
        let (first, second) =
            (Key(2_654_435_761, 2_654_435_761), Key(2_654_446_892, 2_654_446_892));
        assert_eq!(hsiphash_1u32(v4(172, 16, 1, 1), first), 0x6dc5_0a49);
        assert_eq!(hsiphash_1u32(v4(172, 16, 1, 2), first), 0x9d44_4e97);
        assert_eq!(hsiphash_1u32(v4(192, 0, 2, 1), first), 0x9288_9c88);
        assert_eq!(hsiphash_1u32(v4(192, 0, 2, 1) + 40000, first), 0xcb24_5051);
        assert_eq!(hsiphash_1u32(0, first), 0x1d5a_77c2);
        assert_eq!(hsiphash_1u32(v4(172, 16, 1, 1), second), 0x216a_187e);
        assert_eq!(hsiphash_1u32(v4(192, 0, 2, 1), second), 0xc6fe_83e5);
    }

    #[test]
    fn an_ipv6_address_folds_by_exclusive_or() {
        assert_eq!(fold_v6([0x2001_0db8, 0x0004_0000, 0, 5]), 0x2005_0dbd);
    }
}
