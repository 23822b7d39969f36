//! The IPv4 header, RFC 791 §3.1.

use bytemuck::{Pod, Zeroable};

use crate::net::{Be16, Be32, checksum};

/// The IPv4 header without its options.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Ipv4 {
    /// Version (four high bits) and header length in words of four bytes.
    pub version_ihl: u8,
    /// Type of service; DSCP and ECN (RFC 2474, RFC 3168).
    pub tos: u8,
    /// Header and payload, bytes.
    pub total_length: Be16,
    /// Identification of fragments.
    pub id: Be16,
    /// Flags (three high bits) and fragment offset in units of eight bytes.
    pub fragment: Be16,
    /// Time to live, hops.
    pub ttl: u8,
    /// What it carries; see [`protocol`](crate::net::protocol).
    pub protocol: u8,
    /// Header checksum.
    pub check: Be16,
    /// Source address.
    pub source: Be32,
    /// Destination address.
    pub destination: Be32,
}

impl Ipv4 {
    /// Bytes of the header without options.
    pub const MIN_LEN: usize = size_of::<Self>();

    /// Version 4, and a header without options.
    pub const PLAIN: u8 = 0x45;
    /// Don't fragment.
    pub const DONT_FRAGMENT: Be16 = Be16::new(0x4000);

    /// More-fragments flag and fragment offset: zero in a whole datagram.
    const FRAGMENT_BITS: Be16 = Be16::new(0x3fff);

    /// Whether this is version 4.
    #[inline(always)]
    #[must_use]
    pub const fn is_v4(&self) -> bool {
        self.version_ihl >> 4 == 4
    }

    /// Bytes of the header with its options; 20 to 60 in a valid header.
    #[inline(always)]
    #[must_use]
    pub const fn header_len(&self) -> usize {
        (self.version_ihl & 0x0f) as usize * 4
    }

    /// Whether this is a fragment: the first, a middle or the last one.
    #[inline(always)]
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.fragment.raw() & Self::FRAGMENT_BITS.raw() != 0
    }

    /// Whether the payload begins here: of a whole datagram, or of a first fragment.
    #[inline(always)]
    #[must_use]
    pub const fn is_beginning(&self) -> bool {
        self.fragment.raw() & Be16::new(0x1fff).raw() == 0
    }

    /// Where a fragment's part of the datagram begins, bytes.
    #[inline(always)]
    #[must_use]
    pub const fn start(&self) -> u16 {
        (self.fragment.get() & 0x1fff) << 3
    }

    /// Whether more fragments follow.
    #[inline(always)]
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.fragment.get() & 0x2000 != 0
    }

    /// Whether no router may cut it into fragments.
    #[inline(always)]
    #[must_use]
    pub const fn dont_fragment(&self) -> bool {
        self.fragment.raw() & Self::DONT_FRAGMENT.raw() != 0
    }

    /// The header with the checksum that is right for it; it has no options.
    #[inline(always)]
    #[must_use]
    pub fn sealed(self) -> Self {
        let words: [u32; 5] = bytemuck::cast(Self { check: Be16::new(0), ..self });
        let sum = words.into_iter().map(u64::from).sum();
        Self { check: Be16::from_raw(!checksum::fold(sum)), ..self }
    }

    /// One hop less, and the checksum to go with it.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the carry is in the low half")]
    pub fn decrement_ttl(&mut self) {
        const HOP: u32 = Be16::new(0x0100).raw() as u32;
        self.ttl = self.ttl.wrapping_sub(1);
        // As ip_decrease_ttl: what the header lost the checksum gains, with the carry of one's
        // complement; 0xffff becomes 0.
        let check = self.check.raw() as u32 + HOP;
        self.check = Be16::from_raw((check + ((check + 1) >> 16)) as u16);
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::bytes_of;

    use super::*;
    use crate::net::checksum::{Edit, sum};

    #[test]
    fn decrementing_keeps_the_checksum_right_for_every_ttl() {
        for ttl in 1..=255 {
            let mut header = Ipv4 {
                version_ihl: 0x45,
                total_length: Be16::new(40),
                id: Be16::new(0x1234),
                fragment: Be16::new(0x4000),
                ttl,
                protocol: 6,
                source: Be32::new(0xc000_0201),
                destination: Be32::new(0xc633_6401),
                ..Ipv4::zeroed()
            };
            header.check = Be16::from_raw(!sum(bytes_of(&header)));
            header.decrement_ttl();
            assert_eq!(header.ttl, ttl - 1);
            assert_eq!(sum(bytes_of(&header)), 0xffff, "ttl {ttl}");
        }
    }

    #[test]
    fn decrementing_edits_every_checksum_as_rfc_1624_has_it() {
        let halves = |ttl| Be16::from_raw(u16::from_ne_bytes([ttl, 6]));
        for check in 0..=u16::MAX {
            let check = Be16::from_raw(check);
            let mut header = Ipv4 { ttl: 64, protocol: 6, check, ..Ipv4::zeroed() };
            header.decrement_ttl();
            assert_eq!(header.check, Edit::new().half(halves(64), halves(63)).apply(check));
        }
    }

    #[test]
    fn a_sealed_header_sums_to_ones() {
        for total_length in [20, 21, 1500, 65_535] {
            let header = Ipv4 {
                version_ihl: Ipv4::PLAIN,
                total_length: Be16::new(total_length),
                ttl: 64,
                check: Be16::new(0xabcd),
                source: Be32::new(0xc000_0201),
                ..Ipv4::zeroed()
            };
            assert_eq!(sum(bytes_of(&header.sealed())), 0xffff);
        }
    }

    #[test]
    fn dont_fragment_is_not_a_fragment() {
        let header = |fragment| Ipv4 { fragment: Be16::new(fragment), ..Ipv4::zeroed() };
        assert!(!header(0x4000).is_fragment());
        assert!(header(0x2000).is_fragment());
        assert!(header(0x0001).is_fragment());
    }
}
