//! Many frames, one after the other: one packet that comes from ever other clients.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use anyhow::{Result, bail};
use aya::programs::Xdp;

use super::{
    Rig, Side,
    packet::{Mac, Packet},
    run::{Action, Frames},
};

/// Places in an Ethernet frame with IPv4 without options: the sums are known there.
const IP_SUM: usize = 24;
const SOURCE: usize = 26;
const PORT: usize = 34;
const TCP_SUM: usize = 50;

/// A segment of clients, over and over.
pub struct Burst {
    program: Xdp,
    frames: Frames,
    frame: Vec<u8>,
    /// Sums over all but the client, of the header and of the segment.
    sums: [u32; 2],
}

impl Burst {
    /// A segment with these control bits to a virtual service.
    ///
    /// # Errors
    /// The service's address is not IPv4, or the kernel has no descriptor to give.
    pub fn new(rig: &Rig<'_>, to: SocketAddr, flags: u8) -> Result<Self> {
        if !to.is_ipv4() {
            bail!("{to} is not IPv4");
        }
        let nobody = SocketAddr::new(IpAddr::V4([0; 4].into()), 0);
        let packet = Packet::tcp(nobody, to, flags, b"");
        let frame = rig.arriving(Side::Clients, &packet);
        let sum = |at: usize| u32::from(!u16::from_be_bytes([frame[at], frame[at + 1]]));
        Ok(Self {
            program: rig.program()?,
            frames: Frames::new(rig.index(Side::Clients), frame.len()),
            sums: [sum(IP_SUM), sum(TCP_SUM)],
            frame,
        })
    }

    /// Sends it once, from this client.
    ///
    /// # Errors
    /// The kernel does not run the program.
    pub fn send(&mut self, client: SocketAddrV4) -> Result<Action> {
        self.come_from(client);
        self.frames.run(&self.program, &self.frame)
    }

    /// The link-layer destination of what came out.
    #[must_use]
    pub fn reached(&self) -> Mac {
        self.frames.out().first_chunk().copied().unwrap_or_default()
    }

    fn come_from(&mut self, client: SocketAddrV4) {
        let (address, port) = (client.ip().octets(), client.port().to_be_bytes());
        self.frame[SOURCE..SOURCE + 4].copy_from_slice(&address);
        self.frame[PORT..PORT + 2].copy_from_slice(&port);
        let [a, b, c, d] = address;
        let words = u32::from(u16::from_be_bytes([a, b])) + u32::from(u16::from_be_bytes([c, d]));
        let [header, segment] = self.sums;
        self.put(IP_SUM, header + words);
        self.put(TCP_SUM, segment + words + u32::from(client.port()));
    }

    /// A sum, folded (RFC 1071).
    fn put(&mut self, at: usize, sum: u32) {
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        let [.., high, low] = (!folded).to_be_bytes();
        self.frame[at] = high;
        self.frame[at + 1] = low;
    }
}
