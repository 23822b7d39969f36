//! The networks of the addresses that stand in for real servers.

use std::{fmt, net::IpAddr};

use lvs_common::{
    map::probe::{NETWORK_V4, NETWORK_V6, PREFIX_V4, PREFIX_V6, stand_in_v4, stand_in_v6},
    net::{Addr, Be32},
};

use super::Prefix;

/// The networks of stand-ins, one a family; see [`lvs_common::map::probe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandIns {
    v4: Be32,
    v6: [Be32; 2],
}

impl StandIns {
    /// These networks; of a family that is not among them the usual one.
    ///
    /// # Errors
    /// Which of them cannot be one, and why.
    pub fn of(prefixes: &[Prefix]) -> Result<Self, (usize, String)> {
        let mut networks = Self::default();
        for (index, prefix) in prefixes.iter().enumerate() {
            let wrong = |why: String| Err((index, why));
            if prefixes[..index].iter().any(|other| other.family() == prefix.family()) {
                return wrong(format!("{prefix} is the second network of its family"));
            }
            let address = prefix.address();
            let wanted = if address.is_ipv4() { PREFIX_V4 } else { PREFIX_V6 };
            if prefix.length() != wanted {
                return wrong(format!("{prefix} is no network of length {wanted}"));
            }
            if !is_usable(address) {
                return wrong(format!("{prefix} has addresses that no real server can have"));
            }
            match (address, Addr::from(address).words()) {
                (IpAddr::V4(v4), _) => networks.v4 = Be32::from_bytes(v4.octets()),
                (IpAddr::V6(_), [a, b, ..]) => networks.v6 = [a, b],
            }
        }
        Ok(networks)
    }

    /// That of IPv4, as the data plane has it.
    #[must_use]
    pub const fn v4(self) -> Be32 {
        self.v4
    }

    /// The first half of that of IPv6.
    #[must_use]
    pub const fn v6(self) -> [Be32; 2] {
        self.v6
    }

    /// As the data plane has them.
    #[must_use]
    pub const fn told(v4: Be32, v6: [Be32; 2]) -> Self {
        Self { v4, v6 }
    }

    /// Both.
    #[must_use]
    pub fn networks(self) -> [Prefix; 2] {
        [
            Prefix::around(Addr::v4(stand_in_v4(self.v4, 0)).ip(), PREFIX_V4),
            Prefix::around(stand_in_v6(self.v6, 0).ip(), PREFIX_V6),
        ]
    }
}

impl Default for StandIns {
    fn default() -> Self {
        Self { v4: NETWORK_V4, v6: NETWORK_V6 }
    }
}

impl fmt::Display for StandIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [v4, v6] = self.networks();
        write!(f, "{v4} {v6}")
    }
}

fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets()[0], 1..=126 | 128..=223) && !v4.is_link_local(),
        IpAddr::V6(v6) => {
            !v6.is_multicast() && !v6.is_unicast_link_local() && v6.segments()[0] != 0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Result<String, (usize, String)> {
        let prefixes: Vec<Prefix> = texts.iter().map(|text| text.parse().unwrap()).collect();
        StandIns::of(&prefixes).map(|networks| networks.to_string())
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let usual = "198.18.0.0/15 fd6c:7673:7072:6f62::/64";
        assert_eq!(of(&[]).unwrap(), usual);
        assert_eq!(of(&["10.2.0.0/15"]).unwrap(), "10.2.0.0/15 fd6c:7673:7072:6f62::/64");
        assert_eq!(of(&["fd00:1::/64"]).unwrap(), "198.18.0.0/15 fd00:1::/64");
        assert_eq!(of(&["fd00::/64", "100.64.0.0/15"]).unwrap(), "100.64.0.0/15 fd00::/64");
    }

    #[test]
    fn a_network_of_another_size_or_of_no_hosts_is_none() {
        for (texts, index, why) in [
            (vec!["10.0.0.0/8"], 0, "10.0.0.0/8 is no network of length 15"),
            (vec!["fd00::/48"], 0, "fd00::/48 is no network of length 64"),
            (vec!["10.0.0.0/15", "10.2.0.0/15"], 1, "10.2.0.0/15 is the second network"),
            (vec!["224.0.0.0/15"], 0, "224.0.0.0/15 has addresses that no real server"),
            (vec!["fe80::/64"], 0, "fe80::/64 has addresses"),
            (vec!["126.0.0.0/15", "::/64"], 1, "::/64 has addresses"),
        ] {
            let (at, said) = of(&texts).unwrap_err();
            assert!(at == index && said.starts_with(why), "{at} {said}");
        }
    }
}
