//! ICMP echo over the kernel's ping socket (icmp(7)): no raw socket, no ping program.
#![forbid(unsafe_code)]

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};

/// Bytes in front of the payload: type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;

/// One echo request from the namespace of the calling thread; returns when it is answered.
pub(super) fn ping(to: IpAddr, timeout: Duration) -> Result<()> {
    let (domain, protocol, request) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, 8),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, 128),
    };
    let mut socket = Socket::new(domain, Type::DGRAM, Some(protocol)).context("a ping socket")?;
    socket.set_read_timeout(Some(timeout))?;
    socket.connect(&SocketAddr::new(to, 0).into())?;
    // The kernel fills in checksum and identifier and hands out only the answers to this socket.
    let mut packet = vec![request, 0, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(b"are you there?");
    socket.write_all(&packet)?;
    let mut answer = [0; 128];
    let length =
        socket.read(&mut answer).with_context(|| format!("{to} does not answer a ping"))?;
    ensure!(
        answer.get(HEADER..length) == packet.get(HEADER..),
        "{to} answers a ping with other bytes"
    );
    Ok(())
}
