//! A UDP echo that answers from the address it was asked at, which a DR real server must: the VIP.
#![forbid(unsafe_code)]

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::UdpSocket,
    os::fd::AsRawFd as _,
};

use nix::{
    cmsg_space,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendmsg, setsockopt,
        sockopt::Ipv6RecvPacketInfo,
    },
};
use socket2::{Protocol, Type};

/// No UDP datagram is longer.
const DATAGRAM_MAX: usize = 65_535;

/// A socket on the port, IPv4 and IPv6, that tells at which address a datagram arrived.
///
/// # Errors
///
/// When the port is taken.
pub fn bind(port: u16) -> io::Result<UdpSocket> {
    let socket: UdpSocket = super::bind(port, Type::DGRAM, Protocol::UDP)?.into();
    setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
    Ok(socket)
}

/// Serves for ever: answers a datagram with the name, a line feed and the datagram.
pub fn serve(socket: &UdpSocket, name: &str) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        if let Err(error) = answer_one(socket, name, &mut buffer) {
            eprintln!("udp echo: {error}");
        }
    }
}

fn answer_one(socket: &UdpSocket, name: &str, buffer: &mut [u8]) -> io::Result<()> {
    let mut control = cmsg_space!(libc::in6_pktinfo);
    let (length, from, at) = {
        let mut parts = [IoSliceMut::new(buffer)];
        let received = recvmsg::<SockaddrIn6>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let at = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(info),
            _ => None,
        });
        (received.bytes, received.address, at)
    };
    let (Some(from), Some(mut at)) = (from, at) else {
        return Err(io::Error::other("a datagram without its addresses"));
    };
    // The source address only; the way is the routing table's.
    at.ipi6_ifindex = 0;
    let head = format!("{name}\n");
    let parts = [IoSlice::new(head.as_bytes()), IoSlice::new(&buffer[..length])];
    let control = [ControlMessage::Ipv6PacketInfo(&at)];
    sendmsg(socket.as_raw_fd(), &parts, &control, MsgFlags::empty(), Some(&from))?;
    Ok(())
}
