//! The options that describe a real server.

use clap::{Args, ValueEnum};

use super::{
    Failure,
    argument::{BackendArgument, ServiceArgument, subject},
    check_options::BackendChecks,
    service::Json,
};
use crate::api::types::{Checksum, Dest, Method, ServiceId, Tunnel};

/// A real server and what to say of it.
#[derive(Debug, Args)]
pub struct Describe {
    #[command(flatten)]
    pub(super) service: ServiceArgument,
    #[command(flatten)]
    pub(super) backend: BackendArgument,
    /// How packets get there [default: dr]
    #[arg(long, short, value_enum)]
    method: Option<MethodArgument>,
    /// Its share of new connections; 0 gives it none [default: 1]
    #[arg(long, short, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(..=i64::from(i32::MAX)))]
    weight: Option<u32>,
    /// No new connections at this many; 0 means no limit [default: 0]
    #[arg(long, short = 'x', value_name = "CONNECTIONS", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(..=i64::from(i32::MAX)))]
    upper: Option<u32>,
    /// A full real server takes new connections again below this many [default: 0, three quarters]
    #[arg(long, short = 'y', value_name = "CONNECTIONS", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(..=i64::from(i32::MAX)))]
    lower: Option<u32>,
    /// What a tunnel's outer packet is [default: ipip]
    #[arg(long, value_enum)]
    tunnel: Option<TunnelArgument>,
    /// UDP port of a gue tunnel
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    tunnel_port: Option<u16>,
    /// Outer checksum of a gue or gre tunnel [default: none]
    #[arg(long, value_enum)]
    tunnel_checksum: Option<ChecksumArgument>,
    #[command(flatten)]
    pub(super) health: BackendChecks,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MethodArgument {
    /// The packet goes unchanged to the real server's MAC address (direct routing)
    #[value(aliases = ["direct-route", "gatewaying", "route"])]
    Dr,
    /// Addresses are rewritten both ways (NAT)
    #[value(aliases = ["masq", "masquerading"])]
    Nat,
    /// The packet goes inside another one
    #[value(aliases = ["tunnel", "ipip"])]
    Tun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TunnelArgument {
    Ipip,
    Gue,
    Gre,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ChecksumArgument {
    None,
    Full,
    Remote,
}

impl Describe {
    /// `dest` with everything that is named here.
    pub(super) fn applied_to(&self, service: ServiceId, dest: Dest) -> Result<Dest, Failure> {
        let method = self.method(dest.method)?;
        let service_port = match service {
            ServiceId::Address { port, .. } => port,
            ServiceId::Mark { .. } => dest.addr.port,
        };
        if method != Method::Masq && dest.addr.port != service_port {
            return Err(Failure::new(format!(
                "{}: only --method nat can change the port",
                subject(service, dest.addr)
            )));
        }
        Ok(Dest {
            addr: dest.addr,
            method,
            weight: self.weight.unwrap_or(dest.weight),
            upper_threshold: self.upper.unwrap_or(dest.upper_threshold),
            lower_threshold: self.lower.unwrap_or(dest.lower_threshold),
        })
    }

    fn method(&self, before: Method) -> Result<Method, Failure> {
        let tunnel_named =
            self.tunnel.is_some() || self.tunnel_port.is_some() || self.tunnel_checksum.is_some();
        let method = match (self.method, before) {
            (Some(MethodArgument::Dr), _) => Method::DirectRoute,
            (Some(MethodArgument::Nat), _) => Method::Masq,
            (Some(MethodArgument::Tun), Method::Tunnel(_)) | (None, _) => before,
            (Some(MethodArgument::Tun), _) => Method::Tunnel(Tunnel::Ipip),
        };
        match method {
            Method::Tunnel(tunnel) if tunnel_named => Ok(Method::Tunnel(self.tunnel(tunnel)?)),
            _ if tunnel_named => Err(Failure::new("--tunnel… needs --method tun")),
            method => Ok(method),
        }
    }

    fn tunnel(&self, before: Tunnel) -> Result<Tunnel, Failure> {
        let (kind, old_port, old_checksum) = match before {
            Tunnel::Ipip => (TunnelArgument::Ipip, None, Checksum::None),
            Tunnel::Gue { port, checksum } => (TunnelArgument::Gue, Some(port), checksum),
            Tunnel::Gre { checksum } => (TunnelArgument::Gre, None, checksum),
        };
        let kind = self.tunnel.unwrap_or(kind);
        let checksum = match self.tunnel_checksum {
            None => old_checksum,
            Some(ChecksumArgument::None) => Checksum::None,
            Some(ChecksumArgument::Full) => Checksum::Full,
            Some(ChecksumArgument::Remote) => Checksum::Remote,
        };
        match (kind, self.tunnel_port.or(old_port)) {
            (TunnelArgument::Gue, Some(port)) => Ok(Tunnel::Gue { port, checksum }),
            (TunnelArgument::Gue, None) => Err(Failure::new("--tunnel gue needs --tunnel-port")),
            _ if self.tunnel_port.is_some() => {
                Err(Failure::new("--tunnel-port is for --tunnel gue"))
            }
            (TunnelArgument::Gre, _) if checksum == Checksum::Remote => {
                Err(Failure::new("--tunnel-checksum remote is for --tunnel gue"))
            }
            (TunnelArgument::Gre, _) => Ok(Tunnel::Gre { checksum }),
            (TunnelArgument::Ipip, _) if self.tunnel_checksum.is_some() => {
                Err(Failure::new("--tunnel-checksum is for --tunnel gue or gre"))
            }
            (TunnelArgument::Ipip, _) => Ok(Tunnel::Ipip),
        }
    }
}
