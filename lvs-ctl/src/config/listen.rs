//! What a virtual service listens on, in its three spellings.

use std::net::{IpAddr, SocketAddr};

use super::{mistake::Fault, place::Key, service::FileService};
use crate::model::{Family, Protocol, ServiceId};

/// The identity of the service that `entry` declares.
pub(super) fn id(entry: &FileService, key: &Key) -> Result<ServiceId, Fault> {
    let FileService { listen, protocol, address, port, mark, family, .. } = entry;
    match (listen, (protocol, address, port), mark) {
        (Some(text), (None, None, None), None) if family.is_none() => {
            parse(text).map_err(|message| Fault::new(&key.name("listen"), message))
        }
        (None, (Some(protocol), Some(address), Some(port)), None) if family.is_none() => {
            Ok(ServiceId::Address { protocol: *protocol, address: *address, port: *port })
        }
        (None, (None, None, None), Some(0)) => Err(Fault::new(&key.name("mark"), no_mark("0"))),
        (None, (None, None, None), Some(mark)) => {
            Ok(ServiceId::Mark { mark: *mark, family: family.unwrap_or(Family::Ipv4) })
        }
        _ => Err(Fault::new(
            key,
            "a service has either listen, or protocol, address and port, or mark and family",
        )),
    }
}

/// Reads `tcp:192.0.2.1:80` or `tcp 192.0.2.1:80`, `fwmark:7` or `fwmark6:7`.
fn parse(text: &str) -> Result<ServiceId, String> {
    let (word, rest) = text.split_once([':', ' ']).unwrap_or((text, ""));
    let protocol = match word {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        "fwmark" => return mark(rest, Family::Ipv4),
        "fwmark6" => return mark(rest, Family::Ipv6),
        _ => {
            return Err(format!(
                "`{text}' is no virtual service: it begins with tcp:, udp:, sctp:, fwmark: or fwmark6:"
            ));
        }
    };
    let endpoint: Result<SocketAddr, _> = rest.trim().parse();
    let endpoint = endpoint.map_err(|_no_endpoint| match rest.trim().parse::<IpAddr>() {
        Ok(_) => format!("`{text}' has no port"),
        Err(_) => format!("`{}' is no address with port", rest.trim()),
    })?;
    Ok(ServiceId::Address { protocol, address: endpoint.ip(), port: endpoint.port() })
}

fn mark(text: &str, family: Family) -> Result<ServiceId, String> {
    match text.trim().parse() {
        Ok(mark @ 1..) => Ok(ServiceId::Mark { mark, family }),
        _ => Err(no_mark(text.trim())),
    }
}

fn no_mark(text: &str) -> String {
    format!("`{text}' is no firewall mark: 1 to {}", u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::service_text;

    #[test]
    fn words_are_read_with_a_colon_and_with_a_space() {
        for (text, word) in [
            ("tcp:192.0.2.1:80", "tcp:192.0.2.1:80"),
            ("tcp 192.0.2.1:80", "tcp:192.0.2.1:80"),
            ("udp:[2001:db8::1]:53", "udp:[2001:db8::1]:53"),
            ("sctp  192.0.2.1:0", "sctp:192.0.2.1:0"),
            ("fwmark:4294967295", "fwmark:4294967295"),
            ("fwmark6 7", "fwmark6:7"),
        ] {
            assert_eq!(parse(text).map(service_text::write), Ok(word.to_owned()), "{text}");
        }
    }

    #[test]
    fn other_words_are_refused_with_the_reason() {
        for (text, reason) in [
            (
                "192.0.2.1:80",
                "`192.0.2.1:80' is no virtual service: it begins with tcp:, udp:, sctp:, fwmark: or fwmark6:",
            ),
            ("tcp", "`' is no address with port"),
            ("tcp:192.0.2.1", "`tcp:192.0.2.1' has no port"),
            ("tcp:www:80", "`www:80' is no address with port"),
            ("tcp:2001:db8::1:80", "`tcp:2001:db8::1:80' has no port"),
            ("tcp:192.0.2.1:65536", "`192.0.2.1:65536' is no address with port"),
            ("fwmark:0", "`0' is no firewall mark: 1 to 4294967295"),
            ("fwmark:-1", "`-1' is no firewall mark: 1 to 4294967295"),
        ] {
            assert_eq!(parse(text), Err(reason.to_owned()));
        }
    }
}
