//! Network byte order as a type.

use core::{cmp::Ordering, fmt};

use bytemuck::{Pod, Zeroable};

/// Sixteen bits in network byte order.
///
/// There is no arithmetic on it: ask for [`get`](Self::get), which is in host order. Ordering is by
/// value.
#[repr(transparent)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Be16(u16);

/// Thirty-two bits in network byte order; an IPv4 address, for instance.
#[repr(transparent)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Be32(u32);

impl Be16 {
    /// From a number in host order.
    #[inline(always)]
    #[must_use]
    pub const fn new(host: u16) -> Self {
        Self(u16::from_ne_bytes(host.to_be_bytes()))
    }

    /// The number in host order.
    #[inline(always)]
    #[must_use]
    pub const fn get(self) -> u16 {
        u16::from_be_bytes(self.0.to_ne_bytes())
    }

    /// The bytes as they lie, read as a number of this machine: for hashes, sums and packed words,
    /// where only equality with another such number matters.
    #[inline(always)]
    #[must_use]
    pub const fn raw(self) -> u16 {
        self.0
    }

    /// The inverse of [`raw`](Self::raw).
    #[inline(always)]
    #[must_use]
    pub const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }
}

impl Be32 {
    /// From a number in host order.
    #[inline(always)]
    #[must_use]
    pub const fn new(host: u32) -> Self {
        Self::from_bytes(host.to_be_bytes())
    }

    /// From the bytes in the order of the wire.
    #[inline(always)]
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_ne_bytes(bytes))
    }

    /// The bytes in the order of the wire.
    #[inline(always)]
    #[must_use]
    pub const fn bytes(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }

    /// The number in host order.
    #[inline(always)]
    #[must_use]
    pub const fn get(self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    /// The bytes as they lie, read as a number of this machine; see [`Be16::raw`].
    #[inline(always)]
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The inverse of [`raw`](Self::raw).
    #[inline(always)]
    #[must_use]
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }
}

macro_rules! ordered_by_value {
    ($($number:ty),+) => { $(
        impl Ord for $number {
            fn cmp(&self, other: &Self) -> Ordering {
                self.get().cmp(&other.get())
            }
        }

        impl PartialOrd for $number {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    )+ };
}

ordered_by_value!(Be16, Be32);

impl fmt::Debug for Be16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl fmt::Debug for Be32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::net::Ipv4Addr::from(self.bytes()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_lie_most_significant_first() {
        assert_eq!(bytemuck::bytes_of(&Be16::new(0x0102)), [1, 2]);
        assert_eq!(bytemuck::bytes_of(&Be32::new(0x0102_0304)), [1, 2, 3, 4]);
    }

    #[test]
    fn order_is_that_of_the_value() {
        assert!(Be16::new(255) < Be16::new(256));
        assert!(Be32::new(0x00ff_ffff) < Be32::new(0x0100_0000));
    }

    #[test]
    fn raw_and_back_is_identity() {
        assert_eq!(Be16::from_raw(Be16::new(80).raw()), Be16::new(80));
        assert_eq!(Be32::from_raw(Be32::new(7).raw()), Be32::new(7));
    }
}
