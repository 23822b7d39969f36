//! Virtual services and real servers as arguments.

use clap::Args;

use super::{
    Failure,
    ipvsadm::address::{self, HostPort},
    names::Names,
};
use crate::api::types::{DestAddr, Family, Protocol, ServiceId};
pub(super) use crate::model::service_text::write as service_text;

/// A virtual service as it is typed.
#[derive(Debug, Clone, Args)]
pub(super) struct ServiceArgument {
    /// The virtual service: tcp:VIP:PORT, udp:VIP:PORT, sctp:VIP:PORT, fwmark:MARK or fwmark6:MARK;
    /// IPv6 addresses stand in brackets, names of hosts and ports are fine
    #[arg(id = "service", value_name = "SERVICE")]
    text: String,
}

/// A real server as it is typed.
#[derive(Debug, Clone, Args)]
pub(super) struct BackendArgument {
    /// The real server: RIP or RIP:PORT; without port it is the service's
    #[arg(id = "backend", value_name = "BACKEND")]
    text: String,
}

impl ServiceArgument {
    pub(super) fn id(&self, names: &dyn Names) -> Result<ServiceId, Failure> {
        service_id(&self.text, names)
    }
}

/// Reads a virtual service.
pub(super) fn service_id(text: &str, names: &dyn Names) -> Result<ServiceId, Failure> {
    let mark = |mark: &str, family| match mark.parse() {
        Ok(mark) if mark > 0 => Ok(ServiceId::Mark { mark, family }),
        _ => Err(Failure::new(format!("`{mark}' is no firewall mark: 1 to {}", u32::MAX))),
    };
    let (protocol, rest) = match text.split_once(':') {
        Some(("tcp", rest)) => (Protocol::Tcp, rest),
        Some(("udp", rest)) => (Protocol::Udp, rest),
        Some(("sctp", rest)) => (Protocol::Sctp, rest),
        Some(("fwmark", rest)) => return mark(rest, Family::Ipv4),
        Some(("fwmark6", rest)) => return mark(rest, Family::Ipv6),
        _ => {
            return Err(Failure::new(format!(
                "`{text}' is no virtual service: it begins with tcp:, udp:, sctp:, fwmark: or fwmark6:"
            )));
        }
    };
    match address::host_port(rest, Some(protocol), names) {
        Some(HostPort { address, port: Some(port) }) => {
            Ok(ServiceId::Address { protocol, address, port })
        }
        Some(_) => Err(Failure::new(format!("`{text}' has no port"))),
        None => Err(Failure::new(format!("`{rest}' is no address with port"))),
    }
}

/// What a message about a real server begins with.
pub(super) fn subject(service: ServiceId, addr: DestAddr) -> String {
    format!("{} {addr}", service_text(service))
}

impl BackendArgument {
    pub(super) fn addr(&self, service: ServiceId, names: &dyn Names) -> Result<DestAddr, Failure> {
        let (protocol, service_port) = match service {
            ServiceId::Address { protocol, port, .. } => (protocol, port),
            ServiceId::Mark { .. } => (Protocol::Tcp, 0),
        };
        // Brackets without port are fine here.
        let bare = self.text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let text = bare.unwrap_or(&self.text);
        match address::host_port(text, Some(protocol), names) {
            Some(HostPort { address, port }) => {
                Ok(DestAddr { address, port: port.unwrap_or(service_port) })
            }
            None => Err(Failure::new(format!("`{}' is no address", self.text))),
        }
    }
}
