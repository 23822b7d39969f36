//! Early fragments: read out of the program's rings, and sent on their way by a run of the program.
//!
//! The run is one that sends nothing: what it makes of the frame is sent out of a packet socket, since not every
//! driver takes frames of a run; what is the stack's goes there by a run of `up`, which sends.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    sync::atomic::Ordering,
};

use aya::{
    Ebpf, Pod,
    maps::{HashMap, Map, MapData, RingBuf},
};
use lvs_common::{
    map::{
        Datagram, DatagramKey, Early,
        early::{COOKIE, NOBODY, READY, Released, WAITING},
        name,
    },
    wire::Tag,
};
use tokio::io::unix::AsyncFd;

use super::{Kernel, KernelError, Time, load, mapped::Mapped, maps, programs, run::Runner};
use crate::dataplane::early::{Event, Fragment, Fragments};

// `enum xdp_action`
const PASS: u32 = 2;
const TX: u32 = 3;
const REDIRECT: u32 = 4;

/// Before the tags.
const ADDRESSES: usize = 12;

/// Early fragments of a kernel's data plane. While there is none of these, they are dropped.
pub struct EarlyFragments {
    early: Ring,
    firsts: Ring,
    holds: Mapped,
    datagrams: HashMap<MapData, DatagramKey, Datagram>,
    time: Time,
    program: Runner,
    up: Runner,
    socket: OwnedFd,
}

/// A ring that the program fills.
struct Ring(AsyncFd<RingBuf<MapData>>);

impl Kernel {
    /// Takes early fragments over; once.
    ///
    /// # Errors
    /// The kernel's: there is no right to packet sockets, for instance.
    pub fn early_fragments(&mut self) -> Result<EarlyFragments, KernelError> {
        let holds = Mapped::new(load::fd(&self.ebpf, name::HOLDS)?, 1)
            .map_err(|source| KernelError::call("mmap", name::HOLDS, source))?;
        programs::verify(load::xdp(&mut self.ebpf, "up")?)?;
        let early = EarlyFragments {
            early: Ring::new(&mut self.ebpf, name::EARLY)?,
            firsts: Ring::new(&mut self.ebpf, name::FIRSTS)?,
            datagrams: take(&mut self.ebpf, name::FRAGMENTS)?,
            time: self.time(),
            program: Runner::new(load::xdp(&mut self.ebpf, programs::DIRECTOR)?)?,
            up: Runner::new(load::xdp(&mut self.ebpf, "up")?)?,
            socket: socket().map_err(|source| KernelError::call("socket", "of packets", source))?,
            holds,
        };
        early.say(READY);
        Ok(early)
    }
}

impl Fragments for EarlyFragments {
    async fn next(&mut self, has_room: bool) -> io::Result<Event> {
        loop {
            if let Some(key) = self.firsts.pop() {
                return Ok(Event::First(key));
            }
            if has_room && let Some(early) = self.early.pop::<Early>() {
                return Ok(Event::Early(fragment(&early)));
            }
            tokio::select! {
                filled = self.firsts.0.readable() => filled?.clear_ready(),
                filled = self.early.0.readable(), if has_room => filled?.clear_ready(),
            }
        }
    }

    fn waits(&mut self, waits: bool) {
        self.say(if waits { WAITING } else { READY });
    }

    fn knows(&self, key: &DatagramKey) -> bool {
        self.datagrams.get(key, 0).is_ok_and(|datagram| !datagram.is_expired(self.time.now()))
    }

    fn release(&mut self, fragment: &Fragment) -> io::Result<()> {
        let Fragment { interface, frame, .. } = fragment;
        let lead = Released { cookie: COOKIE, interface: 0 };
        let made = self.program.run(lead, frame, *interface)?;
        match made.action {
            PASS => self.up.receive(&made.frame, *interface),
            TX => self.send(*interface, &made.frame),
            REDIRECT => self.send(made.lead.interface, &made.frame),
            _ => Ok(()),
        }
    }
}

impl EarlyFragments {
    fn say(&self, what: u64) {
        // Before a datagram is looked for.
        self.holds.words().iter().for_each(|word| word.store(what, Ordering::SeqCst));
    }

    /// Sends a frame out of an interface.
    #[expect(clippy::cast_possible_truncation, reason = "a small number, and a small size")]
    fn send(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        let protocol = frame.get(ADDRESSES..ADDRESSES + 2).ok_or(io::ErrorKind::InvalidData)?;
        // SAFETY: all zeros are an address.
        let mut to: libc::sockaddr_ll = unsafe { mem::zeroed() };
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_protocol = u16::from_ne_bytes([protocol[0], protocol[1]]);
        to.sll_ifindex = interface.try_into().map_err(io::Error::other)?;
        // SAFETY: the call reads the frame and the address, each of the length said.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                libc::MSG_DONTWAIT,
                (&raw const to).cast(),
                size_of_val(&to) as libc::socklen_t,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Drop for EarlyFragments {
    fn drop(&mut self) {
        self.say(NOBODY);
    }
}

impl Ring {
    fn new(ebpf: &mut Ebpf, name: &'static str) -> Result<Self, KernelError> {
        let map = ebpf.take_map(name).ok_or(KernelError::Missing(name))?;
        let ring = RingBuf::try_from(map).map_err(|error| maps::map_error("open", name, error))?;
        // SAFETY: the ring has its descriptor to itself, and keeps it as long as it is.
        let ring = unsafe { AsyncFd::register(ring) };
        let ring = ring.map_err(|error| KernelError::call("watch", name, error.into()))?;
        Ok(Self(ring))
    }

    fn pop<T: bytemuck::AnyBitPattern>(&mut self) -> Option<T> {
        let record = self.0.get_mut().next()?;
        record.get(..size_of::<T>()).map(bytemuck::pod_read_unaligned)
    }
}

fn take<K: Pod, V: Pod>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<HashMap<MapData, K, V>, KernelError> {
    let map: Map = ebpf.take_map(name).ok_or(KernelError::Missing(name))?;
    HashMap::try_from(map).map_err(|error| maps::map_error("open", name, error))
}

/// A socket that only sends.
fn socket() -> io::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

/// What came, with its tags on again.
fn fragment(early: &Early) -> Fragment {
    let bytes = early.frame.get(..early.bytes as usize).unwrap_or(&early.frame);
    let (addresses, rest) = bytes.split_at(ADDRESSES.min(bytes.len()));
    let tags: Vec<_> = early.tags.0.iter().filter(|tag| tag.is_some()).collect();
    let tags = tags.iter().flat_map(|tag| bytemuck::bytes_of::<Tag>(tag)).copied().collect();
    Fragment {
        key: early.key,
        start: early.start,
        interface: early.interface,
        frame: [addresses.to_vec(), tags, rest.to_vec()].concat(),
    }
}
