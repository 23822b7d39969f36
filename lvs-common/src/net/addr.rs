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

    /// The last four bytes: the IPv4 address, if this is one.
    #[inline(always)]
    #[must_use]
    pub const fn low(self) -> Be32 {
        self.0[3]
    }

    /// The address in user space's words.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        let [a, b, c, d] = self.0;
        let high = (a.get() as u128) << 96 | (b.get() as u128) << 64;
        Ipv6Addr::from_bits(high | (c.get() as u128) << 32 | d.get() as u128).to_canonical()
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
}
