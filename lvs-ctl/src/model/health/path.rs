//! The way that a check takes to a real server, and what can be wrong with it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Dest, ServiceId};

/// How a check reaches its real server.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Via {
    /// As a client's packet would: to the VIP, by the service's forwarding method.
    #[default]
    Service,
    /// To the RIP.
    Direct,
}

/// What a check speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP echo, of the address's family.
    Icmp,
    /// Whatever a program does.
    Any,
}

/// What a way is wanted for: one check of one real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errand {
    /// The virtual service.
    pub service: ServiceId,
    /// The real server, as the operator describes it.
    pub dest: Dest,
    /// Through what.
    pub via: Via,
    /// What will be spoken.
    pub transport: Transport,
    /// Another address than the RIP; only [`Via::Direct`].
    pub address: Option<IpAddr>,
    /// Another port than the real server's (direct) or the service's (service), host order.
    pub port: Option<u16>,
}

/// Where a socket goes so that it ends at the real server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What to connect or send to; of ICMP the port means nothing.
    pub endpoint: SocketAddr,
    /// What to bind to, if it matters.
    pub source: Option<IpAddr>,
    /// The mark of the socket (`SO_MARK`), if it needs one.
    pub mark: Option<u32>,
    /// The interface of the socket (`SO_BINDTODEVICE`), if it needs one.
    pub device: Option<String>,
}

/// There is no way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoWay {
    /// The director's own doing, or not known yet: this says nothing of the real server.
    Unknown(String),
    /// The real server cannot be reached, and this is why.
    Broken(Cause),
}

/// What is wrong where a check through the service failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The real server answers nothing at all.
    ServerDown,
    /// The real server is there; nothing answers on the service's port.
    ServiceDown,
    /// The real server answers at its own address; the VIP is not configured on it.
    VipMissing,
    /// The real server does not take packets out of the tunnel.
    NoTunnelDevice,
    /// The real server's answers do not come back by the director (NAT).
    WrongGateway,
    /// The director has no route, or no neighbour answers: in words.
    NoRoute(String),
}

impl Target {
    /// A plain socket to `endpoint`.
    #[must_use]
    pub fn plain(endpoint: SocketAddr) -> Self {
        Self { endpoint, source: None, mark: None, device: None }
    }
}

impl Cause {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ServerDown => "server-down",
            Self::ServiceDown => "service-down",
            Self::VipMissing => "vip-missing",
            Self::NoTunnelDevice => "no-tunnel-device",
            Self::WrongGateway => "wrong-gateway",
            Self::NoRoute(_) => "no-route",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "service",
            Self::Direct => "direct",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerDown => f.write_str("the real server does not answer at all"),
            Self::ServiceDown => f.write_str("nothing answers on the port"),
            Self::VipMissing => f.write_str("the VIP is not configured on the real server"),
            Self::NoTunnelDevice => f.write_str("the real server takes nothing out of the tunnel"),
            Self::WrongGateway => {
                f.write_str("the real server's answers do not come back by the director")
            }
            Self::NoRoute(why) => write!(f, "no way to the real server: {why}"),
        }
    }
}

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(why) => f.write_str(why),
            Self::Broken(cause) => cause.fmt(f),
        }
    }
}
