//! A setting of the host, and a change of one.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    #[value(name = "ipv4")]
    Ipv4,
    /// IPv6.
    #[value(name = "ipv6")]
    Ipv6,
}

/// One thing that a host has or has not, or that has a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// A file below `/proc/sys`.
    Sysctl(String),
    /// An address of a device; its value is written with the prefix length.
    Address {
        /// The address.
        address: IpAddr,
        /// Where it belongs.
        device: String,
    },
    /// Whether a tunnel device is `up` or `down`.
    Device {
        /// Its name.
        name: String,
        /// The module that brings it along.
        module: String,
    },
    /// What a device of ip6tnl takes.
    TunnelMode(String),
    /// What comes to a UDP port: `gue`.
    Port {
        /// The port.
        port: u16,
        /// The family of what comes.
        family: Family,
    },
    /// The default route, in the words of `ip route`.
    DefaultRoute(Family),
}

/// What a setting has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// This.
    Is(String),
    /// A number that is no less.
    AtLeast(u8),
    /// Words with these in it.
    Has(String),
}

/// A setting that is to become another, or has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub setting: Setting,
    /// What it was; nothing: it was not there.
    pub before: Option<String>,
    /// What it is to be.
    pub after: Option<String>,
}

impl Family {
    /// Of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// As `ip` takes it.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Ipv4 => "-4",
            Self::Ipv6 => "-6",
        }
    }
}

impl Setting {
    /// A sysctl of an interface, or of `all`.
    #[must_use]
    pub fn conf(interface: &str, name: &str) -> Self {
        Self::Sysctl(format!("net/ipv4/conf/{interface}/{name}"))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sysctl(path) => f.write_str(path),
            Self::Address { address, device } => write!(f, "address {address} on {device}"),
            Self::Device { name, .. } => write!(f, "device {name}"),
            Self::TunnelMode(device) => write!(f, "what {device} takes"),
            Self::Port { port, family: Family::Ipv4 } => write!(f, "UDP port {port}"),
            Self::Port { port, family: Family::Ipv6 } => write!(f, "UDP port {port} of IPv6"),
            Self::DefaultRoute(Family::Ipv4) => f.write_str("default route"),
            Self::DefaultRoute(Family::Ipv6) => f.write_str("default route of IPv6"),
        }
    }
}

impl Need {
    /// Whether a value will do.
    #[must_use]
    pub fn is_met_by(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return false };
        match self {
            Self::Is(wanted) => value == wanted,
            Self::AtLeast(least) => value.parse::<u8>().is_ok_and(|value| value >= *least),
            Self::Has(words) => format!(" {value} ").contains(&format!(" {words} ")),
        }
    }

    /// The value that does.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Is(value) | Self::Has(value) => value.clone(),
            Self::AtLeast(least) => least.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_met_by_what_does_as_well() {
        assert!(Need::AtLeast(1).is_met_by(Some("2")));
        assert!(!Need::AtLeast(2).is_met_by(Some("1")));
        assert!(!Need::AtLeast(1).is_met_by(None));
        let gateway = Need::Has("via 192.168.2.1".to_owned());
        assert!(gateway.is_met_by(Some("default via 192.168.2.1 dev eth0 proto static")));
        assert!(!gateway.is_met_by(Some("default via 192.168.2.10 dev eth0")));
    }
}
