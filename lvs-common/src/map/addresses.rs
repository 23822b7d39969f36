//! The address filter: which packets are worth a look-up at all.

use bytemuck::{Pod, Zeroable};

use crate::net::Be32;

const BITS: usize = 1 << 16;
const WORDS: usize = BITS / 64;

/// Two sets of addresses, those of IPv6 [folded](super::Family::fold), as bits by hash: those that some virtual service has, and those of
/// real servers reached by NAT, whose packets may be replies. An address outside is surely not ours;
/// one inside may be.
///
/// Writer: controller, a word at a time.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Addresses {
    /// VIPs.
    pub vips: [u64; WORDS],
    /// RIPs of masqueraded real servers.
    pub rips: [u64; WORDS],
}

impl Addresses {
    /// Word and bit of an address in either set.
    #[inline(always)]
    #[must_use]
    pub const fn place(address: Be32) -> (usize, u64) {
        // Fibonacci hashing: neighbours in one subnet fall on different bits.
        let hash = address.raw().wrapping_mul(0x9e37_79b1) >> 16;
        ((hash >> 6) as usize & (WORDS - 1), 1 << (hash & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_hardly_shares_bits() {
        let places = (0..256).map(|host| Addresses::place(Be32::new(0xc0a8_0400 + host)));
        let distinct: std::collections::BTreeSet<_> = places.collect();
        assert!(distinct.len() > 240, "{}", distinct.len());
    }
}
