//! Addresses as map keys and values hold them.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use bytemuck::{Pod, Zeroable};

use super::Be32;

/// An Internet address in sixteen bytes, network order; IPv4 is mapped as `::ffff:a.b.c.d`
/// (RFC 4291 §2.5.5.2).
#[repr(transparent)]
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct Addr([Be32; 4]);

/// An IPv6 address as the packet's way has it: two halves as they lie, read as numbers of this machine,
/// and so aligned to eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addr6(pub [u64; 2]);

/// A link-layer (Ethernet) address, in the order of the wire.
#[repr(transparent)]
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
pub struct Mac([u16; 3]);

impl Addr {
    /// An IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn v4(address: Be32) -> Self {
        Self([Be32::new(0), Be32::new(0), Be32::new(0xffff), address])
    }

    /// Whether it is an IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn is_v4(self) -> bool {
        self.0[0].raw() | self.0[1].raw() | self.0[2].raw() ^ Be32::new(0xffff).raw() == 0
    }

    /// The last four bytes: the IPv4 address, if this is one.
    #[inline(always)]
    #[must_use]
    pub const fn low(self) -> Be32 {
        self.0[3]
    }

    /// Its four words, as they lie.
    #[inline(always)]
    #[must_use]
    pub const fn words(self) -> [Be32; 4] {
        self.0
    }

    /// The inverse of [`words`](Self::words).
    #[inline(always)]
    #[must_use]
    pub const fn from_words(words: [Be32; 4]) -> Self {
        Self(words)
    }

    /// The network of the address, by the length of its prefix; 128 and more is the address itself.
    #[inline(always)]
    #[must_use]
    pub const fn network(self, bits: u32) -> Self {
        const fn word(word: Be32, bits: u32) -> Be32 {
            let mask = if bits >= 32 { u32::MAX } else { !(u32::MAX >> bits) };
            Be32::from_raw(word.raw() & Be32::new(mask).raw())
        }
        let [a, b, c, d] = self.0;
        Self([
            word(a, bits),
            word(b, bits.saturating_sub(32)),
            word(c, bits.saturating_sub(64)),
            word(d, bits.saturating_sub(96)),
        ])
    }

    /// An IPv6 address folded to four bytes, as IPVS's schedulers fold it
    /// ([`hash::fold_v6`](crate::hash::fold_v6)).
    #[inline(always)]
    #[must_use]
    pub const fn fold(self) -> Be32 {
        let [a, b, c, d] = self.0;
        Be32::from_raw(a.raw() ^ b.raw() ^ c.raw() ^ d.raw())
    }

    /// The address in user space's words, as an IPv6 address whatever it is.
    #[must_use]
    pub fn v6(self) -> Ipv6Addr {
        Ipv6Addr::from(bytemuck::cast::<_, [u8; 16]>(self.0))
    }

    /// The address in user space's words.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        let [a, b, c, d] = self.0;
        let high = (a.get() as u128) << 96 | (b.get() as u128) << 64;
        Ipv6Addr::from_bits(high | (c.get() as u128) << 32 | d.get() as u128).to_canonical()
    }
}

impl Addr6 {
    /// From its four words.
    #[inline(always)]
    #[must_use]
    pub const fn new(address: Addr) -> Self {
        let [a, b, c, d] = address.words();
        Self([a.raw() as u64 | (b.raw() as u64) << 32, c.raw() as u64 | (d.raw() as u64) << 32])
    }

    /// The inverse of [`new`](Self::new).
    #[inline(always)]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "takes the halves apart")]
    pub const fn addr(self) -> Addr {
        let [first, second] = self.0;
        Addr([
            Be32::from_raw(first as u32),
            Be32::from_raw((first >> 32) as u32),
            Be32::from_raw(second as u32),
            Be32::from_raw((second >> 32) as u32),
        ])
    }
}

impl Mac {
    /// From the bytes in the order of the wire.
    #[inline(always)]
    #[must_use]
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self([
            u16::from_ne_bytes([bytes[0], bytes[1]]),
            u16::from_ne_bytes([bytes[2], bytes[3]]),
            u16::from_ne_bytes([bytes[4], bytes[5]]),
        ])
    }

    /// The bytes in the order of the wire.
    #[must_use]
    pub fn bytes(self) -> [u8; 6] {
        bytemuck::cast(self.0)
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(Be32::from_bytes(v4.octets())),
            IpAddr::V6(v6) => Self(bytemuck::cast(v6.octets())),
        }
    }
}

impl From<Ipv4Addr> for Addr {
    fn from(ip: Ipv4Addr) -> Self {
        Self::from(IpAddr::V4(ip))
    }
}

impl From<Ipv6Addr> for Addr {
    fn from(ip: Ipv6Addr) -> Self {
        Self::from(IpAddr::V6(ip))
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.bytes().iter().enumerate() {
            write!(f, "{}{byte:02x}", if i == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_comes_back_as_ipv4() {
        let ip = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(Addr::from(ip).ip(), ip);
        assert_eq!(Addr::from(ip).low(), Be32::from_bytes([192, 0, 2, 1]));
    }

    #[test]
    fn ipv6_comes_back_as_ipv6() {
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(Addr::from(ip).ip(), ip);
    }

    #[test]
    fn an_address_is_its_words_and_its_halves() {
        let address = Addr::from("2001:db8:4::5".parse::<Ipv6Addr>().unwrap());
        assert_eq!(Addr::from_words(address.words()), address);
        assert_eq!(Addr6::new(address).addr(), address);
        assert_eq!(bytemuck::cast::<_, [u64; 2]>(address.words()), Addr6::new(address).0);
    }

    #[test]
    fn a_network_is_what_is_before_the_end_of_its_prefix() {
        let address = Addr::from(Ipv6Addr::from_bits(u128::MAX));
        for bits in 0..=128 {
            let network = address.network(bits).v6().to_bits();
            assert_eq!(network.leading_ones(), bits);
            assert_eq!(network.count_ones(), bits);
        }
        assert_eq!(address.network(200), address);
    }

    #[test]
    fn an_address_folds_as_the_schedulers_fold_it() {
        let address = Addr::from("2001:db8:4::5".parse::<Ipv6Addr>().unwrap());
        let words = address.words().map(Be32::get);
        assert_eq!(address.fold().get(), crate::hash::fold_v6(words));
    }

    #[test]
    fn a_mapped_address_on_the_wire_of_ipv6_is_shown_as_one() {
        let mapped: Ipv6Addr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Addr::from(mapped).v6(), mapped);
    }
}
