//! The real server's end of a tunnel, in user space: for kernels without ipip, gre and fou devices.
//!
//! Outer packets come by a raw socket (gue: a UDP socket, whose checksums the kernel has looked at); what they
//! carry goes into a TUN device, as if it had come in by it.

use std::{
    ffi::c_char,
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
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

/// The family of the packets that others are taken out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outer {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Outer {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The protocol number of a packet of the same family inside.
    const fn same(self) -> u8 {
        if matches!(self, Self::V4) { 4 } else { 41 }
    }

    const fn ethertype(self) -> [u8; 2] {
        if matches!(self, Self::V4) { [8, 0] } else { [0x86, 0xdd] }
    }
}

impl Wrap {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ipip, Self::Gre, Self::Gue];

    /// Where the outer packets arrive.
    ///
    /// # Errors
    ///
    /// When the process is not root, or the port is taken.
    pub fn socket(self, outer: Outer, gue: u16) -> io::Result<Socket> {
        let (kind, protocol) = match self {
            Self::Ipip => (Type::RAW, outer.same()),
            Self::Gre => (Type::RAW, 47),
            Self::Gue => (Type::DGRAM, 17),
        };
        let domain = if outer == Outer::V4 { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, kind, Some(Protocol::from(i32::from(protocol))))?;
        if self == Self::Gue {
            if outer == Outer::V6 {
                socket.set_only_v6(true)?;
            }
            let any: IpAddr = match outer {
                Outer::V4 => Ipv4Addr::UNSPECIFIED.into(),
                Outer::V6 => Ipv6Addr::UNSPECIFIED.into(),
            };
            socket.bind(&std::net::SocketAddr::from((any, gue)).into())?;
            if outer == Outer::V6 {
                take_unsummed(&socket)?;
            }
        }
        Ok(socket)
    }

    /// What is inside, of the family of the packet that it was in, or why it is not taken out.
    fn inside(self, outer: Outer, received: &[u8]) -> Result<&[u8], &'static str> {
        const SHORT: &str = "it is cut short";
        if self == Self::Gue {
            return match received.split_first_chunk().ok_or(SHORT)? {
                ([0, carried, 0, 0], inside) if *carried == outer.same() => Ok(inside),
                _ => Err("it is no GUE header without options, or of the other family"),
            };
        }
        // A raw socket of IPv4 shows the IP header.
        let header = match outer {
            Outer::V4 => usize::from(received.first().ok_or(SHORT)? & 15) * 4,
            Outer::V6 => 0,
        };
        let body = received.get(header..).ok_or(SHORT)?;
        if self == Self::Ipip {
            return Ok(body);
        }
        let ([flags, 0, high, low], rest) = body.split_first_chunk().ok_or(SHORT)? else {
            return Err("it is no plain GRE header");
        };
        if [*high, *low] != outer.ethertype() {
            return Err("its GRE header is of the other family");
        }
        match flags {
            0 => Ok(rest),
            0x80 if sum(body) != 0xffff => Err("its GRE checksum is wrong"),
            0x80 => rest.get(4..).ok_or(SHORT),
            _ => Err("it is no plain GRE header"),
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
pub fn serve(wrap: Wrap, outer: Outer, socket: &Socket, device: &File) {
    let mut buffer = vec![0; PACKET_MAX];
    loop {
        if let Err(error) = take_one(wrap, outer, socket, device, &mut buffer) {
            eprintln!("{wrap:?} {outer:?}: {error}");
        }
    }
}

fn take_one(
    wrap: Wrap,
    outer: Outer,
    mut socket: &Socket,
    mut device: &File,
    buffer: &mut [u8],
) -> io::Result<()> {
    let bytes = socket.read(buffer)?;
    let inside = wrap.inside(outer, &buffer[..bytes]).map_err(io::Error::other)?;
    device.write_all(inside)
}

/// Takes datagrams without a checksum as well (RFC 6936), as tunnels of Linux send them.
fn take_unsummed(socket: &Socket) -> io::Result<()> {
    /// `linux/udp.h`
    const UDP_NO_CHECK6_RX: libc::c_int = 102;
    let on: libc::c_int = 1;
    // SAFETY: the call reads a live number of the length that it is told.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_UDP,
            UDP_NO_CHECK6_RX,
            (&raw const on).cast(),
            libc::socklen_t::try_from(size_of_val(&on)).unwrap_or_default(),
        )
    };
    Errno::result(result).map(drop)?;
    Ok(())
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
