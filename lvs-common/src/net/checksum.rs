//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//!
//! Sums are taken over words as they lie, in this machine's order: RFC 1071 §2(B) shows that only
//! the bytes of the result are then in another order, which storing it puts right again.

use super::{Addr, Be16, Be32};

/// What an edit of a packet does to the sum over it: `~m + m'` of every word `m` that became `m'`.
#[derive(Clone, Copy, Default, Debug)]
pub struct Edit(u64);

impl Edit {
    /// No change yet.
    #[inline(always)]
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// And a sixteen-bit word that changes.
    #[inline(always)]
    #[must_use]
    pub const fn half(self, old: Be16, new: Be16) -> Self {
        Self(self.0 + !old.raw() as u64 + new.raw() as u64)
    }

    /// And two words of sixteen bits that change together; an address.
    #[inline(always)]
    #[must_use]
    pub const fn word(self, old: Be32, new: Be32) -> Self {
        Self(self.0 + !old.raw() as u64 + new.raw() as u64)
    }

    /// And an IPv6 address.
    #[inline(always)]
    #[must_use]
    pub const fn address(self, old: Addr, new: Addr) -> Self {
        let (old, new) = (old.words(), new.words());
        self.word(old[0], new[0]).word(old[1], new[1]).word(old[2], new[2]).word(old[3], new[3])
    }

    /// And all that another edit changes.
    #[inline(always)]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// The checksum of the packet after the edit, given the one before.
    #[inline(always)]
    #[must_use]
    pub const fn apply(self, check: Be16) -> Be16 {
        // RFC 1624 §3, equation 3: HC' = ~(~HC + ~m + m')
        Be16::from_raw(!fold(self.0 + !check.raw() as u64))
    }

    /// The same for a UDP checksum: a sum of zero is sent as all ones (RFC 768).
    #[inline(always)]
    #[must_use]
    pub const fn apply_udp(self, check: Be16) -> Be16 {
        let raw = self.apply(check).raw();
        Be16::from_raw(if raw == 0 { 0xffff } else { raw })
    }

    /// The pseudo-header sum that a sender left in the checksum field for its network card to
    /// finish: not complemented, and covering addresses only.
    #[inline(always)]
    #[must_use]
    pub const fn apply_partial(self, sum: Be16) -> Be16 {
        Be16::from_raw(fold(self.0 + sum.raw() as u64))
    }
}

/// Adds the carries of a one's complement sum until sixteen bits are left. The sum is below 2^36: a
/// few words, or a megabyte of halves.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "three steps leave sixteen bits")]
pub const fn fold(sum: u64) -> u16 {
    debug_assert!(sum < 1 << 36);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// The sum over the IPv4 pseudo-header (RFC 9293 §3.1, RFC 768), folded, not complemented; what a
/// sender leaves in the checksum field when its network card is to finish it.
#[inline(always)]
#[must_use]
pub const fn pseudo_v4(source: Be32, destination: Be32, protocol: u8, length: u16) -> u16 {
    fold(
        source.raw() as u64
            + destination.raw() as u64
            + Be16::new(protocol as u16).raw() as u64
            + Be16::new(length).raw() as u64,
    )
}

/// The sum over the IPv6 pseudo-header (RFC 8200 §8.1), folded, not complemented.
#[inline(always)]
#[must_use]
pub const fn pseudo_v6(source: Addr, destination: Addr, protocol: u8, length: u16) -> u16 {
    fold(
        words(source)
            + words(destination)
            + Be16::new(protocol as u16).raw() as u64
            + Be16::new(length).raw() as u64,
    )
}

#[inline(always)]
const fn words(address: Addr) -> u64 {
    let [a, b, c, d] = address.words();
    a.raw() as u64 + b.raw() as u64 + c.raw() as u64 + d.raw() as u64
}

/// The RFC 1071 sum of any bytes, folded, not complemented; an odd last byte is padded with zero.
#[cfg(any(test, feature = "host"))]
#[must_use]
pub fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        u64::from(u16::from_ne_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]))
    });
    fold(words.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071 §3's example, whose sum is ddf2.
    #[test]
    fn the_rfc_example_sums_to_ddf2() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(sum(&bytes).to_ne_bytes(), [0xdd, 0xf2]);
    }

    /// RFC 1624 §4's example: a word 5555 that becomes 3285 under the checksum dd2f gives 0000.
    #[test]
    fn the_rfc_1624_example_gives_zero_not_minus_zero() {
        let edit = Edit::new().half(Be16::new(0x5555), Be16::new(0x3285));
        assert_eq!(edit.apply(Be16::new(0xdd2f)), Be16::new(0x0000));
        assert_eq!(edit.apply_udp(Be16::new(0xdd2f)), Be16::new(0xffff));
    }

    #[test]
    fn folding_leaves_sixteen_bits_of_any_sum_in_range() {
        for sum in [0, 0xffff, 0x1_0000, 0x1_ffff, 0xffff_ffff, (1 << 36) - 1, 0xf_0000_fff1] {
            let wanted = if sum == 0 { 0 } else { (sum - 1) % 0xffff + 1 };
            assert_eq!(u64::from(fold(sum)), wanted, "{sum:#x}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_edit_equals_summing_anew(mut bytes: [u8; 24], address: [u8; 4], port: u16) {
            let check = Be16::from_raw(!sum(&bytes));
            let (old_address, old_port) = (
                Be32::from_bytes(bytes[4..8].try_into().unwrap()),
                Be16::from_raw(u16::from_ne_bytes(bytes[10..12].try_into().unwrap())),
            );
            let (address, port) = (Be32::from_bytes(address), Be16::new(port));
            bytes[4..8].copy_from_slice(&address.bytes());
            bytes[10..12].copy_from_slice(bytemuck::bytes_of(&port));
            let edited = Edit::new().word(old_address, address).half(old_port, port).apply(check);
            // All zeros and all ones are the same number in one's complement.
            let anew = !sum(&bytes);
            proptest::prop_assert!(edited.raw() == anew || (edited.raw() ^ anew == 0xffff && (anew == 0 || anew == 0xffff)));
        }
    }
}
