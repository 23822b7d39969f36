//! The text form of rules: the lines that `ipvsadm -S` writes and `ipvsadm -R` reads.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv6Addr},
};

use super::{Checksum, Dest, Family, Method, Protocol, SchedulerFlags, Service, ServiceId, Tunnel};

/// Longest text of an address with port; ipvsadm cuts names that make it longer.
const ENDPOINT_MAX: usize = 59;

/// Names for addresses and ports.
pub trait Naming {
    /// The name of `address`, if it has one.
    fn host(&self, address: IpAddr) -> Option<String>;
    /// The name of `port` in `protocol`, if it has one.
    fn port(&self, port: u16, protocol: Protocol) -> Option<String>;
}

/// No names: `-n`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numeric;

impl Naming for Numeric {
    fn host(&self, _: IpAddr) -> Option<String> {
        None
    }

    fn port(&self, _: u16, _: Protocol) -> Option<String> {
        None
    }
}

/// `host:port` or `[host]:port`, by name where there is one.
///
/// Ports have names only within a protocol, so those of firewall-marked services stay numbers.
#[must_use]
pub fn endpoint(
    address: IpAddr,
    port: u16,
    protocol: Option<Protocol>,
    names: &dyn Naming,
) -> String {
    let mut text = String::new();
    push_endpoint(&mut text, address, port, protocol, names);
    text
}

/// Appends an [`endpoint`].
pub fn push_endpoint(
    text: &mut String,
    address: IpAddr,
    port: u16,
    protocol: Option<Protocol>,
    names: &dyn Naming,
) {
    let start = text.len();
    let (open, close) = if address.is_ipv4() { ("", ":") } else { ("[", "]:") };
    text.push_str(open);
    match (names.host(address), address) {
        (Some(name), _) => text.push_str(&name),
        // Writing to memory does not fail.
        (None, IpAddr::V4(address)) => {
            write!(text, "{address}").ok();
        }
        (None, IpAddr::V6(_)) => text.push_str(&address_text(address)),
    }
    text.push_str(close);
    match protocol.and_then(|protocol| names.port(port, protocol)) {
        Some(name) => text.push_str(&name),
        None => {
            write!(text, "{port}").ok();
        }
    }
    if text.len() > start + ENDPOINT_MAX {
        cut(text, start + ENDPOINT_MAX);
    }
}

/// The protocol of the ports of `id`'s real servers, if they have one.
#[must_use]
pub fn protocol(id: ServiceId) -> Option<Protocol> {
    match id {
        ServiceId::Address { protocol, .. } => Some(protocol),
        ServiceId::Mark { .. } => None,
    }
}

/// The lines that add `service` and its `dests`, oldest first, so that nothing is lost: order,
/// thresholds and large marks, which ipvsadm does not save, stand there too. It can read them.
#[must_use]
pub fn faithful_lines<'a>(service: &Service, dests: impl Iterator<Item = &'a Dest>) -> Vec<String> {
    let options = match service.id {
        ServiceId::Mark { mark, family: Family::Ipv4 } => format!("-f {mark}"),
        ServiceId::Mark { mark, family: Family::Ipv6 } => format!("-f {mark} -6"),
        ServiceId::Address { .. } => service_options(service.id, &Numeric),
    };
    let dest = |dest: &Dest| {
        let thresholds = match (dest.upper_threshold, dest.lower_threshold) {
            (0, 0) => String::new(),
            (upper, lower) => format!(" -x {upper} -y {lower}"),
        };
        format!("-a {options} {}{thresholds}", dest_options(service.id, dest, &Numeric))
    };
    // The plain names of flags are read for every scheduler, and all three have one.
    let service = format!("-A {options} {}", scheduling_options(service, ""));
    [service].into_iter().chain(dests.map(dest)).collect()
}

/// `-t 192.0.2.1:80`, `-f 7 -6`: the options that name a service.
#[must_use]
pub fn service_options(id: ServiceId, names: &dyn Naming) -> String {
    match id {
        ServiceId::Address { protocol, address, port } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
            };
            format!("{option} {}", endpoint(address, port, Some(protocol), names))
        }
        ServiceId::Mark { mark, family: Family::Ipv4 } => format!("-f {}", signed(mark)),
        ServiceId::Mark { mark, family: Family::Ipv6 } => format!("-f {} -6", signed(mark)),
    }
}

/// The line that adds `service`, without line end.
#[must_use]
pub fn service_line(service: &Service, names: &dyn Naming) -> String {
    format!(
        "-A {} {}",
        service_options(service.id, names),
        scheduling_options(service, &service.scheduler)
    )
}

/// The line that adds `dest` to `service`, without line end. Thresholds are left out, as by ipvsadm.
#[must_use]
pub fn dest_line(service: ServiceId, dest: &Dest, names: &dyn Naming) -> String {
    format!("-a {} {}", service_options(service, names), dest_options(service, dest, names))
}

/// The names of the set flags as `scheduler` calls them; `sh` and `mh` have none for the third.
#[must_use]
pub fn scheduler_flags(scheduler: &str, flags: SchedulerFlags) -> String {
    let names = match scheduler {
        "sh" => ["sh-fallback", "sh-port", ""],
        "mh" => ["mh-fallback", "mh-port", ""],
        _ => ["flag-1", "flag-2", "flag-3"],
    };
    let set = [flags.flag_1, flags.flag_2, flags.flag_3];
    let chosen = names.into_iter().zip(set).filter(|(name, set)| *set && !name.is_empty());
    chosen.map(|(name, _)| name).collect::<Vec<_>>().join(",")
}

/// Marks are printed as a C `int`.
#[must_use]
pub fn signed(mark: u32) -> i32 {
    mark.cast_signed()
}

/// An address as glibc's `inet_ntop` writes it: unlike Rust, `::1.2.3.4` for IPv4-compatible ones.
#[must_use]
pub fn address_text(address: IpAddr) -> String {
    match address {
        IpAddr::V6(address) if is_v4_compatible(address) => {
            let [.., a, b, c, d] = address.octets();
            format!("::{a}.{b}.{c}.{d}")
        }
        _ => address.to_string(),
    }
}

/// Cuts `text` to at most `length` bytes.
pub fn cut(text: &mut String, length: usize) {
    if text.len() > length {
        let end = (0..=length).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
}

fn scheduling_options(service: &Service, flags_of: &str) -> String {
    let mut words = vec![format!("-s {}", service.scheduler)];
    if let Some(persistence) = service.persistence {
        words.push(format!("-p {}", persistence.timeout_s));
        if !persistence.netmask.is_host() {
            words.push(format!("-M {}", persistence.netmask));
        }
    }
    if let Some(engine) = &service.engine {
        words.push(format!("--pe {engine}"));
    }
    if service.one_packet {
        words.push("-o".into());
    }
    if !service.scheduler_flags.is_empty() {
        words.push(format!("-b {}", scheduler_flags(flags_of, service.scheduler_flags)));
    }
    words.join(" ")
}

fn dest_options(service: ServiceId, dest: &Dest, names: &dyn Naming) -> String {
    let real = endpoint(dest.addr.address, dest.addr.port, protocol(service), names);
    let (method, tunnel) = match dest.method {
        Method::Masq => ("-m", String::new()),
        Method::DirectRoute | Method::Local => ("-g", String::new()),
        Method::Tunnel(tunnel) => ("-i", tunnel_options(tunnel)),
    };
    format!("-r {real} {method} -w {}{tunnel}", dest.weight)
}

fn is_v4_compatible(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    segments[..6] == [0; 6] && segments[6] != 0
}

fn tunnel_options(tunnel: Tunnel) -> String {
    match tunnel {
        Tunnel::Ipip => " --tun-type ipip".into(),
        Tunnel::Gue { port, checksum } => {
            format!(" --tun-type gue --tun-port {port} {}", checksum_option(checksum))
        }
        Tunnel::Gre { checksum } => format!(" --tun-type gre {}", checksum_option(checksum)),
    }
}

fn checksum_option(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::None => "--tun-nocsum",
        Checksum::Full => "--tun-csum",
        Checksum::Remote => "--tun-remcsum",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_inet_ntop_writes_them() {
        for text in ["::1", "::", "::1.2.0.0", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:0", "192.0.2.1"] {
            assert_eq!(address_text(text.parse().unwrap()), text);
        }
    }

    #[test]
    fn long_names_are_cut_with_their_port() {
        struct Long;
        impl Naming for Long {
            fn host(&self, _: IpAddr) -> Option<String> {
                Some("n".repeat(70))
            }
            fn port(&self, _: u16, _: Protocol) -> Option<String> {
                None
            }
        }
        let v4 = endpoint("192.0.2.1".parse().unwrap(), 80, Some(Protocol::Tcp), &Long);
        assert_eq!(v4, "n".repeat(59));
        let v6 = endpoint("::1".parse().unwrap(), 80, Some(Protocol::Tcp), &Long);
        assert_eq!(v6, format!("[{}", "n".repeat(58)));
    }
}
