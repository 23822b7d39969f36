//! Names of hosts and ports: the C library's resolver and `/etc/services`.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use dns_lookup::AddrInfoHints;

use crate::{api::types::Protocol, model::text::Naming};

/// Names in both directions.
pub trait Names: Naming {
    /// The first IPv4 address of `host`.
    fn address(&self, host: &str) -> Option<Ipv4Addr>;
    /// The port that `name` names in `protocol`.
    fn port_number(&self, name: &str, protocol: Protocol) -> Option<u16>;
}

/// The names that this host knows.
#[derive(Debug, Default)]
pub struct System {
    services: RefCell<Option<Services>>,
    hosts: RefCell<HashMap<IpAddr, Option<String>>>,
}

/// `/etc/services`.
#[derive(Debug, Default, Clone)]
pub struct Services {
    by_name: HashMap<(String, String), u16>,
    by_port: HashMap<(u16, String), String>,
}

impl Naming for System {
    fn host(&self, address: IpAddr) -> Option<String> {
        let mut hosts = self.hosts.borrow_mut();
        hosts
            .entry(address)
            .or_insert_with(|| {
                let flags = libc::NI_NAMEREQD | libc::NI_NUMERICSERV;
                let name = dns_lookup::getnameinfo(&SocketAddr::new(address, 0), flags);
                name.ok().map(|(host, _)| host)
            })
            .clone()
    }

    fn port(&self, port: u16, protocol: Protocol) -> Option<String> {
        self.with_services(|services| services.name(port, protocol))
    }
}

impl Names for System {
    fn address(&self, host: &str) -> Option<Ipv4Addr> {
        if host.is_empty() {
            return None;
        }
        let hints = AddrInfoHints {
            address: libc::AF_INET,
            socktype: libc::SOCK_STREAM,
            ..AddrInfoHints::default()
        };
        let found = dns_lookup::getaddrinfo(Some(host), None, Some(hints)).ok()?;
        found.flatten().find_map(|info| match info.sockaddr.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }

    fn port_number(&self, name: &str, protocol: Protocol) -> Option<u16> {
        self.with_services(|services| services.port(name, protocol))
    }
}

impl System {
    fn with_services<T>(&self, use_them: impl FnOnce(&Services) -> T) -> T {
        let mut services = self.services.borrow_mut();
        let read = || Services::parse(&fs::read_to_string("/etc/services").unwrap_or_default());
        use_them(services.get_or_insert_with(read))
    }
}

impl Services {
    /// Reads the text of `/etc/services`: name, port/protocol, aliases; the first of two wins.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut services = Self::default();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or("").split_ascii_whitespace();
            let (Some(name), Some(number)) = (words.next(), words.next()) else { continue };
            let Some((port, protocol)) = number.split_once('/') else { continue };
            let Ok(port) = port.parse() else { continue };
            let key = (port, protocol.to_owned());
            services.by_port.entry(key).or_insert_with(|| name.to_owned());
            for name in [name].into_iter().chain(words) {
                let key = (name.to_owned(), protocol.to_owned());
                services.by_name.entry(key).or_insert(port);
            }
        }
        services
    }

    /// The name of a port.
    #[must_use]
    pub fn name(&self, port: u16, protocol: Protocol) -> Option<String> {
        self.by_port.get(&(port, protocol.name().to_owned())).cloned()
    }

    /// The port of a name or alias.
    #[must_use]
    pub fn port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        self.by_name.get(&(name.to_owned(), protocol.name().to_owned())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_names_and_aliases_within_a_protocol() {
        let services = Services::parse(
            "# comment\nhttp\t\t80/tcp\t\twww\t# WorldWideWeb\ndomain 53/udp\nwebcache 80/tcp\nbad x\n",
        );
        assert_eq!(services.port("www", Protocol::Tcp), Some(80));
        assert_eq!(services.port("http", Protocol::Udp), None);
        assert_eq!(services.name(80, Protocol::Tcp).as_deref(), Some("http"));
        assert_eq!(services.name(53, Protocol::Tcp), None);
        assert_eq!(services.port("HTTP", Protocol::Tcp), None);
    }
}
