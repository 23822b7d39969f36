//! The real server's end of a tunnel, in user space: for kernels without ipip, gre and fou devices.
//!
//! Outer packets come by a raw socket (gue: a UDP socket, whose checksums the kernel has looked at); what they
//! carry goes into a TUN device, as if it had come in by it.

use std::{
    ffi::c_char,
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    net::Ipv4Addr,
    os::fd::AsRawFd as _,
};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// The device's name, unless it is to have another.
pub const DEVICE: &str = "decap0";

/// `TUNSETIFF`, `IFF_TUN` and `IFF_NO_PI` of `linux/if_tun.h`.
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const TUN: libc::c_short = 1;
const NO_PI: libc::c_short = 0x1000;

/// No packet is longer.
const PACKET_MAX: usize = 65_535;

/// What packets are taken out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrap {
    /// RFC 2003.
    Ipip,
    /// RFC 2784.
    Gre,
    /// draft-ietf-intarea-gue.
    Gue,
}

impl Wrap {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ipip, Self::Gre, Self::Gue];

    /// Where the outer packets arrive.
    ///
    /// # Errors
    ///
    /// When the process is not root, or the port is taken.
    pub fn socket(self, gue: u16) -> io::Result<Socket> {
        let (kind, protocol) = match self {
            Self::Ipip => (Type::RAW, 4),
            Self::Gre => (Type::RAW, 47),
            Self::Gue => (Type::DGRAM, 17),
        };
        let socket = Socket::new(Domain::IPV4, kind, Some(Protocol::from(protocol)))?;
        if self == Self::Gue {
            socket.bind(&std::net::SocketAddr::from((Ipv4Addr::UNSPECIFIED, gue)).into())?;
        }
        Ok(socket)
    }

    /// What is inside, or why it is not taken out.
    fn inside(self, received: &[u8]) -> Result<&[u8], &'static str> {
        const SHORT: &str = "it is cut short";
        if self == Self::Gue {
            return match received.split_first_chunk().ok_or(SHORT)? {
                ([0, 4, 0, 0], inside) => Ok(inside),
                _ => Err("it is no GUE header of an IPv4 packet without options"),
            };
        }
        // A raw socket shows the IP header.
        let header = usize::from(received.first().ok_or(SHORT)? & 15) * 4;
        let body = received.get(header..).ok_or(SHORT)?;
        if self == Self::Ipip {
            return Ok(body);
        }
        match body.split_first_chunk().ok_or(SHORT)? {
            ([0, 0, 8, 0], inside) => Ok(inside),
            ([0x80, 0, 8, 0], _) if sum(body) != 0xffff => Err("its GRE checksum is wrong"),
            ([0x80, 0, 8, 0], rest) => rest.get(4..).ok_or(SHORT),
            _ => Err("it is no GRE header of an IPv4 packet"),
        }
    }
}

/// Makes the device; it goes with the process. Of a name that is too long the beginning is used.
///
/// # Errors
///
/// When the process is not root or the kernel has no TUN devices.
pub fn device(called: &str) -> io::Result<File> {
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name[..libc::IFNAMSIZ - 1].iter_mut().zip(called.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    let flags = libc::__c_anonymous_ifr_ifru { ifru_flags: TUN | NO_PI };
    let request = libc::ifreq { ifr_name: name, ifr_ifru: flags };
    // SAFETY: the call reads a live request, whose name is NUL-terminated (the zeroed array's last byte is left).
    let result = unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, &raw const request) };
    Errno::result(result)?;
    Ok(device)
}

/// Takes packets out for ever; says which it does not.
pub fn serve(wrap: Wrap, socket: &Socket, device: &File) {
    let mut buffer = vec![0; PACKET_MAX];
    loop {
        if let Err(error) = take_one(wrap, socket, device, &mut buffer) {
            eprintln!("{wrap:?}: {error}");
        }
    }
}

fn take_one(
    wrap: Wrap,
    mut socket: &Socket,
    mut device: &File,
    buffer: &mut [u8],
) -> io::Result<()> {
    let bytes = socket.read(buffer)?;
    let inside = wrap.inside(&buffer[..bytes]).map_err(io::Error::other)?;
    device.write_all(inside)
}

/// RFC 1071.
fn sum(bytes: &[u8]) -> u64 {
    let halves = bytes
        .chunks(2)
        .map(|half| u64::from(half[0]) << 8 | u64::from(half.get(1).copied().unwrap_or_default()));
    let mut sum: u64 = halves.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}
