//! Sockets that go where a target says, from where it says.

use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::{Trouble, words};
use crate::model::health::{Stage, Target};

/// Connects to the target.
pub(super) async fn connect(target: &Target) -> Result<TcpStream, Trouble> {
    let socket = open(target, Type::STREAM, Protocol::TCP).map_err(own)?;
    let socket = TcpSocket::from_std_stream(socket.into());
    let stream = socket.connect(target.endpoint).await;
    let stream = stream.map_err(|error| Trouble::of(&error, Stage::Connect))?;
    // What is sent waits for nothing.
    stream.set_nodelay(true).ok();
    Ok(stream)
}

/// A socket for datagrams to the target alone.
pub(super) fn datagrams(
    target: &Target,
    kind: Type,
    protocol: Protocol,
) -> Result<UdpSocket, Trouble> {
    let socket = open(target, kind, protocol).map_err(own)?;
    let connected = socket.connect(&SockAddr::from(target.endpoint));
    connected.map_err(|error| Trouble::of(&error, Stage::Connect))?;
    UdpSocket::from_std(socket.into()).map_err(own)
}

fn open(target: &Target, kind: Type, protocol: Protocol) -> std::io::Result<Socket> {
    let domain = Domain::for_address(target.endpoint);
    let socket = Socket::new(domain, kind.nonblocking().cloexec(), Some(protocol))?;
    if let Some(mark) = target.mark {
        socket.set_mark(mark)?;
    }
    if let Some(device) = &target.device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    if let Some(source) = target.source {
        socket.bind(&SockAddr::from(SocketAddr::new(source, 0)))?;
    }
    Ok(socket)
}

#[expect(clippy::needless_pass_by_value, reason = "this is what map_err gives")]
fn own(error: std::io::Error) -> Trouble {
    Trouble::Own(words(&error))
}
