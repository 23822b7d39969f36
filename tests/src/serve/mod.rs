//! What a real server runs: HTTP, a TCP echo and a UDP echo, each of which answers its name.
//!
//! The program `lab-peer serve` runs these in a namespace ([`crate::web`] starts it).
#![forbid(unsafe_code)]

pub mod echo;
pub mod http;
pub mod udp;

use std::net::{Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::devices::SCTP;

/// A socket for IPv4 and IPv6 at once, bound to the port on every address.
fn bind(port: u16, kind: Type, protocol: Protocol) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, kind, Some(protocol))?;
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    Ok(socket)
}

/// A listening SCTP socket on the port. One association is one stream, as of TCP.
///
/// # Errors
///
/// When the port is taken, or the kernel has no SCTP.
pub fn listen_sctp(port: u16) -> std::io::Result<std::net::TcpListener> {
    let socket = bind(port, Type::STREAM, Protocol::from(SCTP))?;
    socket.listen(128)?;
    Ok(socket.into())
}

/// A listening TCP socket on the port.
///
/// # Errors
///
/// When the port is taken.
pub fn listen(port: u16) -> std::io::Result<std::net::TcpListener> {
    let socket = bind(port, Type::STREAM, Protocol::TCP)?;
    socket.listen(1024)?;
    Ok(socket.into())
}
