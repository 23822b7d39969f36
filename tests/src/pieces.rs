//! Frames cut into fragments, and sent as they are.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, sendto, socket,
    },
};

use crate::{netns::Netns, rig::packet::checksum};

const ETHERNET: usize = 14;
/// Next header: a fragment (RFC 8200 §4.5).
const FRAGMENT: u8 = 44;

/// An interface to send frames from.
#[derive(Debug)]
pub struct Outlet {
    socket: OwnedFd,
    address: LinkAddr,
}

impl Outlet {
    /// Of a namespace's interface.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn new(netns: &Netns, interface: &str) -> Result<Self> {
        netns.run(|| {
            let mut known = getifaddrs()?.filter(|known| known.interface_name == interface);
            let address = known.find_map(|known| known.address?.as_link_addr().copied());
            let address = address.with_context(|| format!("no interface {interface}"))?;
            // Nothing is to be received.
            let none = None::<SockProtocol>;
            let flags = SockFlag::SOCK_CLOEXEC;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, none)?;
            Ok(Self { socket, address })
        })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The kernel's.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        sendto(self.socket.as_raw_fd(), frame, &self.address, MsgFlags::empty())
            .with_context(|| format!("cannot send {} bytes", frame.len()))
            .map(drop)
    }
}

/// The fragments, of so many bytes each, of a frame without IP options or extension headers.
///
/// # Panics
/// When the frame is longer than a datagram.
#[must_use]
pub fn cut(frame: &[u8], bytes: usize, id: u16) -> Vec<Vec<u8>> {
    let is_v4 = frame[12..14] == [8, 0];
    let (head, payload) = frame.split_at(ETHERNET + if is_v4 { 20 } else { 40 });
    let last = payload.len().div_ceil(bytes) - 1;
    let short = |number: usize| u16::try_from(number).expect("a datagram");
    let fragment = |(number, part): (usize, &[u8])| {
        let (offset, more) = (number * bytes, number != last);
        let mut fragment = head.to_vec();
        if is_v4 {
            let word = short(offset / 8) | u16::from(more) << 13;
            fragment[16..18].copy_from_slice(&short(20 + part.len()).to_be_bytes());
            fragment[18..20].copy_from_slice(&id.to_be_bytes());
            fragment[20..22].copy_from_slice(&word.to_be_bytes());
            fragment[24..26].fill(0);
            let sum = checksum(&[&fragment[ETHERNET..]]);
            fragment[24..26].copy_from_slice(&sum);
        } else {
            fragment[18..20].copy_from_slice(&short(8 + part.len()).to_be_bytes());
            let next = std::mem::replace(&mut fragment[20], FRAGMENT);
            fragment.extend([next, 0]);
            fragment.extend((short(offset) | u16::from(more)).to_be_bytes());
            fragment.extend(u32::from(id).to_be_bytes());
        }
        fragment.extend(part);
        fragment
    };
    payload.chunks(bytes).enumerate().map(fragment).collect()
}
