//! What `ipvsadm` lists, read back into values.
#![forbid(unsafe_code)]

use std::{collections::BTreeSet, net::SocketAddr};

use anyhow::{Context as _, Result};

use crate::director::Director;

/// A real server's line of `ipvsadm -Ln`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Real {
    /// Address and port.
    pub address: SocketAddr,
    /// Its weight.
    pub weight: u32,
    /// Active connections.
    pub active: u32,
    /// Inactive connections.
    pub inactive: u32,
}

/// Counters of a line of `ipvsadm -Ln --stats --exact`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections scheduled.
    pub conns: u64,
    /// Packets from clients.
    pub in_packets: u64,
    /// Packets to clients.
    pub out_packets: u64,
    /// Bytes from clients.
    pub in_bytes: u64,
    /// Bytes to clients.
    pub out_bytes: u64,
}

/// A connection of `ipvsadm -Lcn`; when it expires is left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// `TCP` or `UDP`.
    pub protocol: String,
    /// As `ESTABLISHED`.
    pub state: String,
    /// The client's end (CIP and port).
    pub client: SocketAddr,
    /// The virtual end.
    pub vip: SocketAddr,
    /// The real server's end.
    pub dest: SocketAddr,
}

impl Director {
    /// The real servers of one service, `service` being as in `-t 192.168.4.5:80`, in the order of
    /// the listing.
    pub fn reals(&self, service: &str) -> Result<Vec<Real>> {
        let listing = self.ipvsadm(&format!("-Ln {service}"))?;
        real_lines(&listing).map(read_real).collect::<Option<_>>().context(listing.clone())
    }

    /// The real server's line.
    ///
    /// # Errors
    ///
    /// Also when the service has no such real server.
    pub fn real(&self, service: &str, address: impl Into<SocketAddr>) -> Result<Real> {
        let address = address.into();
        let found = self.reals(service)?.into_iter().find(|real| real.address == address);
        found.with_context(|| format!("no {address} in {service}"))
    }

    /// The service's own counters, then its real servers'.
    pub fn stats(&self, service: &str) -> Result<(Stats, Vec<Stats>)> {
        let listing = self.ipvsadm(&format!("-Ln {service} --stats --exact"))?;
        let of_service = listing.lines().find(|line| line.starts_with(['T', 'U']));
        let of_service = of_service.and_then(|line| read_stats(line, 2));
        let reals = real_lines(&listing).map(|line| read_stats(line, 2)).collect::<Option<_>>();
        of_service.zip(reals).context(listing.clone())
    }

    /// All connections, sorted.
    pub fn connections(&self) -> Result<BTreeSet<Connection>> {
        let listing = self.ipvsadm("-Lcn")?;
        let lines = listing.lines().skip(2);
        lines.map(read_connection).collect::<Option<_>>().context(listing.clone())
    }
}

fn real_lines(listing: &str) -> impl Iterator<Item = &str> {
    listing.lines().filter(|line| line.starts_with("  -> ") && !line.contains("RemoteAddress"))
}

fn read_real(line: &str) -> Option<Real> {
    let mut words = line.split_whitespace().skip(1);
    let address = words.next()?.parse().ok()?;
    let mut numbers = words.skip(1).map(|word| word.parse().ok());
    let mut number = || numbers.next().flatten();
    Some(Real { address, weight: number()?, active: number()?, inactive: number()? })
}

fn read_stats(line: &str, skipped: usize) -> Option<Stats> {
    let mut numbers = line.split_whitespace().skip(skipped).map(|word| word.parse().ok());
    let mut number = || numbers.next().flatten();
    Some(Stats {
        conns: number()?,
        in_packets: number()?,
        out_packets: number()?,
        in_bytes: number()?,
        out_bytes: number()?,
    })
}

fn read_connection(line: &str) -> Option<Connection> {
    let mut words = line.split_whitespace();
    let (protocol, _expires, state) = (words.next()?, words.next()?, words.next()?);
    let mut end = || words.next()?.parse().ok();
    Some(Connection {
        protocol: protocol.into(),
        state: state.into(),
        client: end()?,
        vip: end()?,
        dest: end()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_ipvsadm_prints_them() {
        let address: SocketAddr = "192.168.2.100:80".parse().unwrap();
        let listing = "\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.4.5:80 wrr
  -> 192.168.2.100:80             Masq    3      2          17        \n";
        let reals: Vec<_> = real_lines(listing).map(read_real).collect();
        assert_eq!(reals, [Some(Real { address, weight: 3, active: 2, inactive: 17 })]);
        assert_eq!(
            read_stats("  -> 192.168.2.100:80    1  2  3  4  5", 2),
            Some(Stats { conns: 1, in_packets: 2, out_packets: 3, in_bytes: 4, out_bytes: 5 })
        );
        let line = "TCP 14:59  ESTABLISHED 192.168.4.10:5001  192.168.4.5:80     192.168.2.100:80";
        let connection = read_connection(line).unwrap();
        assert_eq!((connection.state.as_str(), connection.dest), ("ESTABLISHED", address));
        assert_eq!(read_connection("TCP 14:59"), None);
    }
}
