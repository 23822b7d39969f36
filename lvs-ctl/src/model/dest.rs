//! A real server within one virtual service (`struct ip_vs_dest`).

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What identifies a real server within its service.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct DestAddr {
    /// The RIP.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// The real server's port, host order.
    pub port: u16,
}

/// A real server as the operator describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dest {
    /// What identifies it.
    pub addr: DestAddr,
    /// How packets get there.
    pub method: Method,
    /// Its share; 0 means quiesced. At most `i32::MAX`.
    pub weight: u32,
    /// New connections stop at this many; 0 means no limit.
    #[serde(default)]
    pub upper_threshold: u32,
    /// A full real server takes new connections again below this many; 0 means three quarters.
    #[serde(default)]
    pub lower_threshold: u32,
}

// The variants are IP_VS_CONN_F_FWD_MASK's; outside they are the words that operators say.
/// The forwarding method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Method {
    /// Addresses and ports are rewritten both ways (NAT).
    #[serde(rename = "nat", alias = "masq")]
    Masq,
    /// The packet goes unchanged to the real server's MAC address.
    #[serde(rename = "dr", alias = "direct-route")]
    DirectRoute,
    /// The packet goes inside another one.
    #[serde(rename = "tun", alias = "tunnel")]
    Tunnel(Tunnel),
    /// The director itself is the real server.
    #[serde(rename = "local")]
    Local,
}

/// What the outer packet of a tunnel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Tunnel {
    /// IP in IP.
    Ipip,
    /// Generic UDP encapsulation.
    Gue {
        /// UDP destination port, host order, never 0.
        port: u16,
        /// The outer checksum.
        checksum: Checksum,
    },
    /// Generic routing encapsulation; `Checksum::Remote` does not exist here.
    Gre {
        /// The outer checksum.
        checksum: Checksum,
    },
}

/// The checksum of a tunnel's outer header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// None (`--tun-nocsum`).
    None,
    /// Computed (`--tun-csum`).
    Full,
    /// Remote checksum offload (`--tun-remcsum`).
    Remote,
}

impl Method {
    /// The method alone, without what a tunnel's outer packet is.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Masq => "nat",
            Self::DirectRoute => "dr",
            Self::Tunnel(_) => "tun",
            Self::Local => "local",
        }
    }
}

/// One word for tables: `nat`, `dr`, `tun:ipip`, `tun:gue:6080,checksum`.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Tunnel(tunnel) => write!(f, ":{tunnel}"),
            Self::Masq | Self::DirectRoute | Self::Local => Ok(()),
        }
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checksum = match self {
            Self::Ipip => return f.write_str("ipip"),
            Self::Gue { port, checksum } => {
                write!(f, "gue:{port}")?;
                checksum
            }
            Self::Gre { checksum } => {
                f.write_str("gre")?;
                checksum
            }
        };
        f.write_str(match checksum {
            Checksum::None => "",
            Checksum::Full => ",checksum",
            Checksum::Remote => ",remote-checksum",
        })
    }
}

impl fmt::Display for DestAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_one_word_with_what_its_tunnel_is() {
        let gue = |checksum| Method::Tunnel(Tunnel::Gue { port: 6080, checksum });
        let words = [
            (Method::Masq, "nat"),
            (Method::DirectRoute, "dr"),
            (Method::Local, "local"),
            (Method::Tunnel(Tunnel::Ipip), "tun:ipip"),
            (Method::Tunnel(Tunnel::Gre { checksum: Checksum::Full }), "tun:gre,checksum"),
            (gue(Checksum::None), "tun:gue:6080"),
            (gue(Checksum::Remote), "tun:gue:6080,remote-checksum"),
        ];
        for (method, word) in words {
            assert_eq!(method.to_string(), word);
        }
    }

    #[test]
    fn the_kernels_names_of_the_methods_are_still_read() {
        for (word, method) in [("masq", Method::Masq), ("direct-route", Method::DirectRoute)] {
            assert_eq!(serde_json::from_value::<Method>(word.into()).unwrap(), method);
        }
        let tunnel = serde_json::json!({ "tunnel": "ipip" });
        assert_eq!(serde_json::from_value::<Method>(tunnel).unwrap(), Method::Tunnel(Tunnel::Ipip));
    }
}
