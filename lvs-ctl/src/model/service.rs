//! A virtual service: what identifies it and how it is scheduled.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The transport protocol of a virtual service.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// The family of a virtual service that is known by its firewall mark only.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// What identifies a virtual service; it never changes while the service lives.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ServiceId {
    /// Protocol, VIP and port; port 0 (persistent services only) means every port.
    Address {
        /// The transport protocol.
        protocol: Protocol,
        /// The VIP.
        #[schema(value_type = String)]
        address: IpAddr,
        /// The virtual port, host order.
        port: u16,
    },
    /// A firewall mark within one family.
    Mark {
        /// The mark, never 0.
        mark: u32,
        /// The family of the marked packets.
        family: Family,
    },
}

/// A virtual service as the operator describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// What identifies it.
    pub id: ServiceId,
    /// The scheduler's IPVS name, at most 15 bytes.
    pub scheduler: String,
    /// Flags whose meaning the scheduler gives.
    #[serde(default)]
    pub scheduler_flags: SchedulerFlags,
    /// Persistence; `None` means that every connection is scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<Persistence>,
    /// The persistence engine's name. Kept without persistence too, as IPVS does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// One-packet scheduling: every datagram is scheduled.
    #[serde(default)]
    pub one_packet: bool,
}

/// The three flags of a scheduler (`-b`); `sh` and `mh` call the first two fallback and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerFlags {
    /// `flag-1`: `sh-fallback`, `mh-fallback`.
    pub flag_1: bool,
    /// `flag-2`: `sh-port`, `mh-port`.
    pub flag_2: bool,
    /// `flag-3`.
    pub flag_3: bool,
}

/// Persistence: connections of one client (network) go to one real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Persistence {
    /// How long a template outlives its last connection, seconds.
    pub timeout_s: u32,
    /// Which clients count as one.
    #[schema(value_type = String)]
    pub netmask: Netmask,
}

/// The granularity of persistence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Netmask {
    /// IPv4: any mask, contiguous or not.
    Ipv4(Ipv4Addr),
    /// IPv6: a prefix length, 1 to 128.
    Ipv6(u8),
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// The IANA protocol number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// The name as `/etc/services` spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl Family {
    /// The family of `address`.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }
}

impl ServiceId {
    /// The family of the packets that the service takes.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(address),
            Self::Mark { family, .. } => family,
        }
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address, port } => {
                write!(f, "{} {}", protocol.name(), std::net::SocketAddr::new(*address, *port))
            }
            Self::Mark { mark, family: Family::Ipv4 } => write!(f, "fwmark {mark}"),
            Self::Mark { mark, family: Family::Ipv6 } => write!(f, "fwmark {mark} ipv6"),
        }
    }
}

impl SchedulerFlags {
    /// Sets the flag of that name, as any scheduler calls it; false if there is none.
    #[must_use]
    pub fn set(&mut self, name: &str) -> bool {
        match name {
            "flag-1" | "fallback" | "sh-fallback" | "mh-fallback" => self.flag_1 = true,
            "flag-2" | "port" | "sh-port" | "mh-port" => self.flag_2 = true,
            "flag-3" => self.flag_3 = true,
            _ => return false,
        }
        true
    }

    /// Whether no flag is set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl Netmask {
    /// The mask under which every client address counts alone.
    #[must_use]
    pub fn host(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self::Ipv4(Ipv4Addr::BROADCAST),
            Family::Ipv6 => Self::Ipv6(128),
        }
    }

    /// Reads a mask for `family`: dotted, or a prefix length in either family.
    ///
    /// # Errors
    /// What is wrong.
    pub fn read(text: &str, family: Family) -> Result<Self, String> {
        let length: Option<u8> = text.trim_start_matches('/').parse().ok();
        match (family, length) {
            (Family::Ipv4, Some(length @ 0..=32)) => {
                let bits = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                Ok(Self::Ipv4(bits.into()))
            }
            (Family::Ipv4, None) => text
                .parse()
                .map(Self::Ipv4)
                .map_err(|_not_dotted| format!("`{text}' is no netmask")),
            (Family::Ipv6, Some(length @ 1..=128)) => Ok(Self::Ipv6(length)),
            _ => Err(format!("`{text}' is no netmask for this address family")),
        }
    }

    /// Whether every client address counts alone.
    #[must_use]
    pub fn is_host(self) -> bool {
        self == Self::host(self.family())
    }

    /// The family it can mask.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::Ipv4(_) => Family::Ipv4,
            Self::Ipv6(_) => Family::Ipv6,
        }
    }
}

/// As `-M` takes it: dotted for IPv4, a number for IPv6.
impl fmt::Display for Netmask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(mask) => mask.fmt(f),
            Self::Ipv6(length) => length.fmt(f),
        }
    }
}

impl FromStr for Netmask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(length @ 1..=128) = text.parse() {
            return Ok(Self::Ipv6(length));
        }
        text.parse()
            .map(Self::Ipv4)
            .map_err(|_not_ipv4| format!("`{text}' is neither a mask nor 1 to 128"))
    }
}

impl TryFrom<String> for Netmask {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Netmask> for String {
    fn from(mask: Netmask) -> Self {
        mask.to_string()
    }
}
