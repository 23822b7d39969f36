//! `[[service.backend]]`: a real server as the file declares it.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{check::Checks, mistake::Fault, place::Key};
use crate::model::{Checksum, Dest, DestAddr, Method, ServiceId, Tunnel, health::DestHealth};

/// What a kernel `int` holds.
const INT_MAX: u32 = i32::MAX.cast_unsigned();

/// A real server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileBackend {
    /// `RIP` or `RIP:PORT`; without port it is the service's. IPv6 addresses with port stand in
    /// brackets. Only method nat can change the port.
    pub address: String,
    /// Its share of new connections; 0 gives it none.
    #[serde(default = "one")]
    #[cfg_attr(test, schemars(range(max = 2_147_483_647)))]
    pub weight: u32,
    /// How packets get there.
    #[serde(default)]
    pub method: MethodWord,
    /// No new connections at this many; 0 means no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[cfg_attr(test, schemars(range(max = 2_147_483_647)))]
    pub upper: u32,
    /// A full real server takes new connections again below this many; 0 means three quarters.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[cfg_attr(test, schemars(range(max = 2_147_483_647)))]
    pub lower: u32,
    /// What a tunnel's outer packet is; `ipip` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<TunnelWord>,
    /// UDP port of a gue tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub tunnel_port: Option<u16>,
    /// Outer checksum of a gue or gre tunnel; `none` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel_checksum: Option<ChecksumWord>,
    /// How it is checked, if not as its service says; an empty list means not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Checks>,
    /// It gets connections only while the others do not reach the quorum.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
}

/// A forwarding method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MethodWord {
    /// The packet goes unchanged to the real server's MAC address (direct routing).
    #[default]
    Dr,
    /// Addresses are rewritten both ways.
    #[serde(alias = "masq")]
    Nat,
    /// The packet goes inside another one.
    #[serde(alias = "tunnel")]
    Tun,
}

/// A tunnel's outer packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TunnelWord {
    /// IP in IP.
    Ipip,
    /// Generic UDP encapsulation.
    Gue,
    /// Generic routing encapsulation.
    Gre,
}

/// The checksum of a tunnel's outer header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ChecksumWord {
    /// None.
    None,
    /// Computed.
    Full,
    /// Remote checksum offload; gue only.
    Remote,
}

impl FileBackend {
    /// How the file declares `dest`.
    #[must_use]
    pub fn new(dest: &Dest) -> Self {
        let (method, tunnel, tunnel_port, tunnel_checksum) = match dest.method {
            Method::Masq => (MethodWord::Nat, None, None, None),
            // A real server on the director itself is recognised by its address.
            Method::DirectRoute | Method::Local => (MethodWord::Dr, None, None, None),
            Method::Tunnel(Tunnel::Ipip) => (MethodWord::Tun, None, None, None),
            Method::Tunnel(Tunnel::Gue { port, checksum }) => {
                (MethodWord::Tun, Some(TunnelWord::Gue), Some(port), Some(checksum.into()))
            }
            Method::Tunnel(Tunnel::Gre { checksum }) => {
                (MethodWord::Tun, Some(TunnelWord::Gre), None, Some(checksum.into()))
            }
        };
        Self {
            address: dest.addr.to_string(),
            weight: dest.weight,
            method,
            upper: dest.upper_threshold,
            lower: dest.lower_threshold,
            tunnel,
            tunnel_port,
            tunnel_checksum,
            check: None,
            backup: false,
        }
    }

    /// How the real server that stands at `key` is checked.
    pub(super) fn health(&self, service: &ServiceId, key: &Key) -> Result<DestHealth, Fault> {
        let key = key.name("check");
        let checks = self.check.as_ref().map(|check| check.judged(service, &key)).transpose()?;
        let health = DestHealth { checks, backup: self.backup };
        health.judge(service).map_err(|wrong| Fault::new(&key, wrong.message))?;
        Ok(health)
    }

    /// The real server of `service` that stands at `key`.
    pub(super) fn dest(&self, service: ServiceId, key: &Key) -> Result<Dest, Fault> {
        let service_port = match service {
            ServiceId::Address { port, .. } => Some(port),
            ServiceId::Mark { .. } => None,
        };
        let addr = self
            .addr(service_port.unwrap_or(0))
            .map_err(|message| Fault::new(&key.name("address"), message))?;
        let method = self.method(key)?;
        if method != Method::Masq && service_port.is_some_and(|port| port != addr.port) {
            return Err(Fault::new(&key.name("address"), "only method nat can change the port"));
        }
        for (name, number) in [("weight", self.weight), ("upper", self.upper)] {
            if number > INT_MAX {
                let message = format!("{number} is more than {INT_MAX}");
                return Err(Fault::new(&key.name(name), message));
            }
        }
        if self.lower > self.upper {
            return Err(Fault::new(&key.name("lower"), "this is more than upper"));
        }
        Ok(Dest {
            addr,
            method,
            weight: self.weight,
            upper_threshold: self.upper,
            lower_threshold: self.lower,
        })
    }

    fn addr(&self, service_port: u16) -> Result<DestAddr, String> {
        let text = self.address.as_str();
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(DestAddr { address, port: service_port });
        }
        let endpoint: SocketAddr =
            text.parse().map_err(|_no_endpoint| format!("`{text}' is no address"))?;
        Ok(DestAddr { address: endpoint.ip(), port: endpoint.port() })
    }

    fn method(&self, key: &Key) -> Result<Method, Fault> {
        let tunnel = [
            ("tunnel", self.tunnel.is_some()),
            ("tunnel_port", self.tunnel_port.is_some()),
            ("tunnel_checksum", self.tunnel_checksum.is_some()),
        ];
        match self.method {
            MethodWord::Tun => Ok(Method::Tunnel(self.tunnel(key)?)),
            method => match tunnel.iter().find(|(_, is_there)| *is_there) {
                Some((name, _)) => Err(Fault::new(&key.name(name), "this needs method = \"tun\"")),
                None if method == MethodWord::Nat => Ok(Method::Masq),
                None => Ok(Method::DirectRoute),
            },
        }
    }

    fn tunnel(&self, key: &Key) -> Result<Tunnel, Fault> {
        let fault = |name, message: &str| Err(Fault::new(&key.name(name), message));
        let checksum = self.tunnel_checksum.map_or(Checksum::None, Checksum::from);
        match (self.tunnel.unwrap_or(TunnelWord::Ipip), self.tunnel_port) {
            (TunnelWord::Gue, Some(port @ 1..)) => Ok(Tunnel::Gue { port, checksum }),
            (TunnelWord::Gue, Some(_)) => fault("tunnel_port", "0 is no port"),
            (TunnelWord::Gue, None) => fault("tunnel", "gue needs tunnel_port"),
            (_, Some(_)) => fault("tunnel_port", "this is for tunnel = \"gue\""),
            (TunnelWord::Gre, None) if checksum == Checksum::Remote => {
                fault("tunnel_checksum", "remote is for tunnel = \"gue\"")
            }
            (TunnelWord::Gre, None) => Ok(Tunnel::Gre { checksum }),
            (TunnelWord::Ipip, None) if self.tunnel_checksum.is_some() => {
                fault("tunnel_checksum", "this is for tunnel = \"gue\" or \"gre\"")
            }
            (TunnelWord::Ipip, None) => Ok(Tunnel::Ipip),
        }
    }
}

impl From<Checksum> for ChecksumWord {
    fn from(checksum: Checksum) -> Self {
        match checksum {
            Checksum::None => Self::None,
            Checksum::Full => Self::Full,
            Checksum::Remote => Self::Remote,
        }
    }
}

impl From<ChecksumWord> for Checksum {
    fn from(word: ChecksumWord) -> Self {
        match word {
            ChecksumWord::None => Self::None,
            ChecksumWord::Full => Self::Full,
            ChecksumWord::Remote => Self::Remote,
        }
    }
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
