//! Addresses as ipvsadm reads them: `host[:port]`, IPv6 in brackets or bare.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::number;
use crate::{api::types::Protocol, cli::names::Names};

/// An address with the port, if one was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct HostPort {
    pub(in crate::cli) address: IpAddr,
    pub(in crate::cli) port: Option<u16>,
}

/// Reads `host[:port]`; port names are those of `protocol`.
///
/// `[v6]` needs a port, bare IPv6 cannot have one. A word of digits is no host, and what stands in
/// brackets but is not IPv6 loses its port.
pub(in crate::cli) fn host_port(
    text: &str,
    protocol: Option<Protocol>,
    names: &dyn Names,
) -> Option<HostPort> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Some(inside) = text.strip_prefix('[') {
        let (host, after) = inside.split_once(']')?;
        let port_text = after.strip_prefix(':')?;
        return match host.parse::<Ipv6Addr>() {
            Ok(address) => Some(HostPort {
                address: address.into(),
                port: Some(port(port_text, protocol, names)?),
            }),
            Err(_) => ipv4_with_port(host, protocol, names),
        };
    }
    match text.parse::<Ipv6Addr>() {
        Ok(address) => Some(HostPort { address: address.into(), port: None }),
        Err(_) => ipv4_with_port(text, protocol, names),
    }
}

/// An IPv4 address or the name of one.
pub(super) fn ipv4(text: &str, names: &dyn Names) -> Option<Ipv4Addr> {
    inet_aton(text).or_else(|| names.address(text))
}

fn ipv4_with_port(text: &str, protocol: Option<Protocol>, names: &dyn Names) -> Option<HostPort> {
    let (host, port_text) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let address = ipv4(host, names)?.into();
    let port = match port_text {
        Some(text) => Some(port(text, protocol, names)?),
        None => None,
    };
    Some(HostPort { address, port })
}

fn port(text: &str, protocol: Option<Protocol>, names: &dyn Names) -> Option<u16> {
    number::decimal(text, 0..=65535)
        .and_then(|port| u16::try_from(port).ok())
        .or_else(|| names.port_number(text, protocol?))
}

/// glibc's `inet_aton`: one to four numbers, decimal, octal or hexadecimal, the last one filling
/// what is left; anything may follow a blank.
fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let text = text.split(number::is_space).next()?;
    let mut parts = text.split('.').map(strtoul);
    let mut last = parts.next()??;
    let mut high = 0_u32;
    let mut bytes_left = 4;
    for part in parts {
        if bytes_left == 1 || last > 255 {
            return None;
        }
        high = high << 8 | last;
        bytes_left -= 1;
        last = part?;
    }
    let room = u32::MAX >> (32 - 8 * bytes_left);
    if last > room {
        return None;
    }
    // With four bytes left nothing stands above.
    let high = if bytes_left == 4 { 0 } else { high << (8 * bytes_left) };
    Some(Ipv4Addr::from_bits(high | last))
}

/// One number of an IPv4 address (`strtoul` with base 0, digits first).
fn strtoul(text: &str) -> Option<u32> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with('+') => u32::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inet_aton_takes_short_octal_and_hexadecimal_forms() {
        for (text, address) in [
            ("192.168.4", "192.168.0.4"),
            ("3232236549", "192.168.4.5"),
            ("0xC0A80405", "192.168.4.5"),
            ("192.168.04.05", "192.168.4.5"),
            ("0377.1", "255.0.0.1"),
            ("1.16777215", "1.255.255.255"),
            ("192.168.4.5 foo", "192.168.4.5"),
            ("1", "0.0.0.1"),
        ] {
            assert_eq!(inet_aton(text), Some(address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn inet_aton_refuses_what_does_not_fit() {
        for text in [
            "",
            " 1.2.3.4",
            "1.2.3.4.5",
            "256.1",
            "1.16777216",
            "1.2.65536",
            "4294967296",
            "08.1.1.1",
            "0x.1.1.1",
            "1.2.3.4.",
            "1..2",
            "+1.2.3.4",
            "1.2.3.256",
            "0x+1",
        ] {
            assert_eq!(inet_aton(text), None, "{text}");
        }
    }
}
