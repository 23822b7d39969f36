//! Frames as an interface carries them, by a packet socket (packet(7)).
//!
//! Capture at a client, a real server or a port of the switch: XDP comes before packet sockets, so
//! on the director's own interface the frames that it forwards are not to be seen. An outer VLAN tag
//! that the device strips is not shown.

use std::{
    fs,
    io::{self, Write as _},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    path::Path,
    process::Command,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    errno::Errno,
    ifaddrs::getifaddrs,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        eventfd::EventFd,
        socket::{
            AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt,
            socket, sockopt::RcvBufForce,
        },
    },
};

use crate::netns::{Netns, text};

/// Room for what arrives while nobody reads.
const BUFFER: usize = 64 << 20;

/// `struct virtio_net_hdr`, which the socket puts before each frame: flags, GSO type, header length,
/// GSO size, checksum start, checksum offset; the 16-bit fields in host order.
const META: usize = 10;

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`.
const NEEDS_CHECKSUM: u8 = 1;

/// What is a fault. 0x800000 is `PI_ERROR`; retransmissions and the like are less. Of an ICMP error, the packet that
/// it quotes is none of its own: NAT gives that one the addresses that its sender knows, and leaves its transport
/// checksum, as `ip_vs_nat_icmp` does.
const FAULTS: &str = "_ws.malformed or ip.checksum.status == 0 or icmp.checksum.status == 0 \
    or icmpv6.checksum.status == 0 or (_ws.expert.severity >= 0x800000 \
    and not (icmp.type in {3, 4, 5, 11, 12} or icmpv6.type < 128))";

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    stop: Arc<EventFd>,
    thread: JoinHandle<Result<Vec<Frame>>>,
}

/// One frame, from the Ethernet header on, without frame check sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Since the epoch.
    time: Duration,
    sent: bool,
    /// Where the sum starts and where it goes, if the kernel left it to the device.
    pending: Option<(usize, usize)>,
    bytes: Vec<u8>,
}

/// What a capture saw, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frames(Vec<Frame>);

impl Capture {
    /// Captures all that passes the interface from now on.
    pub fn start(netns: &Netns, interface: &str) -> Result<Self> {
        let socket = netns
            .run(|| open(interface))
            .with_context(|| format!("capturing at {interface} of {}", netns.name()))?;
        let stop = Arc::new(EventFd::new()?);
        let stopped = Arc::clone(&stop);
        Ok(Self { stop, thread: std::thread::spawn(move || receive(&socket, &stopped)) })
    }

    /// Ends the capture. A frame that a program has received or sent before is in it.
    ///
    /// # Errors
    ///
    /// Also when frames were lost because they came faster than they were read.
    pub fn stop(self) -> Result<Frames> {
        self.stop.write(1)?;
        let frames = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Frames(frames?))
    }
}

impl Frame {
    /// As they were seen: with a checksum that is not computed yet, if [`Self::is_pending`].
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the interface sent it; else it received it.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.sent
    }

    /// Whether the kernel knows the transport checksum as still to be computed: not an error.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// One with other bytes, seen at the same moment.
    #[must_use]
    pub fn with_bytes(&self, bytes: Vec<u8>) -> Self {
        Self { bytes, pending: None, ..*self }
    }

    /// The frame with the pending checksum computed, as a device would have sent it.
    #[must_use]
    pub fn completed(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if let Some((start, offset)) = self.pending
            && let Some(segment) = bytes.get(start..)
        {
            let checksum = !sum(segment);
            if let Some(field) = bytes.get_mut(start + offset..start + offset + 2) {
                field.copy_from_slice(&checksum.to_be_bytes());
            }
        }
        bytes
    }
}

impl FromIterator<Frame> for Frames {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        Self(frames.into_iter().collect())
    }
}

impl Frames {
    /// In the order they were seen.
    pub fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.0.iter()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes a pcap file, pending checksums completed.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut file = Vec::new();
        // Microseconds, version 2.4, UTC, accuracy 0, longest frame, Ethernet.
        for word in [0xa1b2_c3d4, 2 | 4 << 16, 0, 0, 1 << 18, 1_u32] {
            file.write_all(&word.to_ne_bytes())?;
        }
        for frame in &self.0 {
            let bytes = frame.completed();
            let length = u32::try_from(bytes.len())?;
            let seconds = u32::try_from(frame.time.as_secs())?;
            for word in [seconds, frame.time.subsec_micros(), length, length] {
                file.write_all(&word.to_ne_bytes())?;
            }
            file.write_all(&bytes)?;
        }
        fs::write(path, file).with_context(|| format!("writing {}", path.display()))
    }
}

/// What `tshark` finds wrong with the frames of a file: bad checksums, malformed packets; a line each.
///
/// # Errors
///
/// When `tshark` cannot be run.
pub fn faults(file: &Path) -> Result<Vec<String>> {
    let mut tshark = Command::new("tshark");
    // Payload is bytes (RFC 862), not what tshark would take it for by its port.
    tshark.args(["-d", "tcp.port==1-65535,echo", "-d", "udp.port==1-65535,echo"]);
    for check in ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"] {
        tshark.args(["-o", &format!("{check}:TRUE")]);
    }
    // A tunnel over IPv6 may go without (RFC 6935).
    tshark.args(["-o", "sctp.checksum:CRC32C", "-o", "udp.ignore_ipv6_zero_checksum:TRUE"]);
    tshark.args(["-n", "-Y", FAULTS, "-T", "fields"]);
    for field in ["frame.number", "ip.src", "ip.dst", "_ws.expert.message"] {
        tshark.args(["-e", field]);
    }
    let output = tshark.arg("-r").arg(file).output().context("running tshark")?;
    Ok(text("tshark", &output)?.lines().map(str::to_owned).collect())
}

/// A packet socket on an interface of the namespace of the calling thread.
fn open(interface: &str) -> Result<OwnedFd> {
    let mut addresses = getifaddrs()?.filter(|known| known.interface_name == interface);
    let address = addresses
        .find_map(|known| known.address?.as_link_addr().copied())
        .with_context(|| format!("no interface {interface}"))?;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)?;
    setsockopt(&socket, RcvBufForce, &BUFFER)?;
    bind(socket.as_raw_fd(), &address)?;
    // Until it was bound it heard every interface.
    while recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut [0; 1]).is_ok() {}
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on))?;
    // SAFETY: the option takes an int; pointer and length are those of a live one.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_VNET_HDR,
            (&raw const on).cast(),
            length,
        )
    };
    Errno::result(result).context("asking for the state of checksums")?;
    Ok(socket)
}

fn receive(socket: &OwnedFd, stop: &EventFd) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut buffer = vec![0; META + (1 << 18)];
    loop {
        let mut events = [
            PollFd::new(socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(stop.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut events, PollTimeout::NONE)?;
        let stopped = events[1].any().unwrap_or(false);
        loop {
            match recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut buffer) {
                Ok((length, from)) => frames.push(frame(&buffer[..length], from)?),
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(errno).context("receiving frames"),
            }
        }
        if stopped {
            ensure!(dropped(socket)? == 0, "frames were lost in the capture");
            return Ok(frames);
        }
    }
}

fn frame(seen: &[u8], from: Option<LinkAddr>) -> Result<Frame> {
    let (meta, bytes) = seen.split_at_checked(META).context("a frame without its state")?;
    let field = |at: usize| usize::from(u16::from_ne_bytes([meta[at], meta[at + 1]]));
    Ok(Frame {
        time: SystemTime::now().duration_since(UNIX_EPOCH)?,
        sent: from.is_some_and(|from| from.pkttype() == libc::PACKET_OUTGOING),
        pending: (meta[0] & NEEDS_CHECKSUM != 0).then(|| (field(6), field(8))),
        bytes: bytes.into(),
    })
}

/// Frames for which there was no room.
fn dropped(socket: &OwnedFd) -> io::Result<u32> {
    let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let size = size_of_val(&statistics);
    let mut length = libc::socklen_t::try_from(size).map_err(io::Error::other)?;
    // SAFETY: the option gives a `tpacket_stats`; pointer and length are those of a live one.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    Errno::result(result)?;
    Ok(statistics.tp_drops)
}

/// RFC 1071: the one's complement sum.
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_sums_up() {
        assert_eq!(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
        assert_eq!(sum(&[0x12, 0x34, 0x56]), 0x6834);
    }

    #[test]
    fn a_pending_checksum_is_completed_from_the_partial_one_in_its_field() {
        let bytes = vec![0xff, 0xff, 0x12, 0x34, 0x00, 0x01];
        let time = Duration::ZERO;
        let frame = Frame { time, sent: true, pending: Some((2, 2)), bytes: bytes.clone() };
        assert_eq!(frame.completed()[4..], (!0x1235_u16).to_be_bytes());
        let whole = Frame { pending: None, ..frame };
        assert_eq!(whole.completed(), bytes);
    }
}
