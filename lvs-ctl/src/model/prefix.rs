//! Prefixes of addresses.

use std::{cmp::Ordering, fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Family;

/// The addresses of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// A text that is no prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// An address, a slash and a number, or an address alone.
    #[error("`{0}' is no prefix: ADDRESS/LENGTH, or an address alone")]
    Text(String),
    /// It is an address in the network rather than the network.
    #[error("`{0}' has bits set beyond its length: the prefix is {1}")]
    HostBits(String, Prefix),
}

impl Prefix {
    /// The first address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits its addresses share.
    #[must_use]
    pub fn length(self) -> u8 {
        self.length
    }

    /// The family of its addresses.
    #[must_use]
    pub fn family(self) -> Family {
        Family::of(self.address)
    }

    /// How many bits its addresses do not share.
    #[must_use]
    pub fn host_bits(self) -> u8 {
        bits(self.address) - self.length
    }

    /// Whether `address` is one of them.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        Family::of(address) == self.family()
            && Self::around(address, self.length).address == self.address
    }

    /// Whether some address is one of both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// The network of that length that `address` is in.
    #[must_use]
    pub fn around(address: IpAddr, length: u8) -> Self {
        let address = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                IpAddr::V4((v4.to_bits() & mask).into())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                IpAddr::V6((v6.to_bits() & mask).into())
            }
        };
        Self { address, length }
    }
}

/// An address is a prefix of its own.
impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        Self { address, length: bits(address) }
    }
}

/// IPv4 first, then by address, then the shorter one.
impl Ord for Prefix {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.address, self.length).cmp(&(other.address, other.length))
    }
}

impl PartialOrd for Prefix {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let none = || PrefixError::Text(text.into());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_no_address| none())?;
        let Some(length) = length else { return Ok(address.into()) };
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse().ok().filter(|&length| digits && length <= bits(address));
        let prefix = Self::around(address, length.ok_or_else(none)?);
        if prefix.address == address {
            Ok(prefix)
        } else {
            Err(PrefixError::HostBits(text.into(), prefix))
        }
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, PrefixError> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_alone_is_a_prefix_of_one_address() {
        for (text, prefix) in [("192.0.2.1", "192.0.2.1/32"), ("2001:db8::1", "2001:db8::1/128")] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), prefix);
        }
    }

    #[test]
    fn networks_overlap_if_one_is_in_the_other() {
        for (one, other, overlaps) in [
            ("198.18.0.0/15", "198.19.4.0/24", true),
            ("198.18.0.0/15", "0.0.0.0/0", true),
            ("198.18.0.0/15", "198.20.0.0/15", false),
            ("198.18.0.0/15", "::/0", false),
        ] {
            let [one, other] = [one, other].map(|text| text.parse::<Prefix>().unwrap());
            assert_eq!([one.overlaps(other), other.overlaps(one)], [overlaps; 2], "{one} {other}");
        }
    }

    #[test]
    fn host_bits_are_refused_and_the_network_is_named() {
        for (text, network) in [
            ("192.0.2.1/24", "192.0.2.0/24"),
            ("128.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1/64", "2001:db8::/64"),
        ] {
            let error = text.parse::<Prefix>().unwrap_err();
            assert_eq!(error, PrefixError::HostBits(text.into(), network.parse().unwrap()));
        }
    }

    #[test]
    fn nonsense_is_no_prefix() {
        for text in
            ["", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "192.0.2.0/+8", "a/8", "/8"]
        {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError::Text(text.into())));
        }
    }

    #[test]
    fn a_prefix_holds_its_addresses_and_no_others() {
        let prefix: Prefix = "192.0.2.64/26".parse().unwrap();
        for (address, inside) in [
            ("192.0.2.63", false),
            ("192.0.2.64", true),
            ("192.0.2.127", true),
            ("192.0.2.128", false),
        ] {
            assert_eq!(prefix.contains(address.parse().unwrap()), inside, "{address}");
        }
        assert!(!"::/0".parse::<Prefix>().unwrap().contains("192.0.2.1".parse().unwrap()));
    }
}
