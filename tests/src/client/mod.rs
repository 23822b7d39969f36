//! Real clients on a host of the lab.
#![forbid(unsafe_code)]

mod download;
mod http;
mod ping;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use socket2::{Domain, Protocol, Socket, Type};

pub use self::{
    download::{Download, Downloaded},
    http::Answer,
};
use crate::{devices::SCTP, netns::Netns, split::Split};

/// After so many failures a series of requests ends: each may take as long as the time limit.
const FAILURES_MAX: usize = 10;

/// From here on the kernel gives ports to who does not choose (`ip_local_port_range`).
const KERNELS_PORTS: u16 = 32_768;

/// Makes connections from a host. Every attempt is a connection of its own from a port of its own,
/// every wait has a limit.
#[derive(Debug, Clone)]
pub struct Client<'h> {
    netns: &'h Netns,
    origin: Origin<'h>,
}

/// From where a connection is made, and how long it may take. Usable on any thread in the namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'h> {
    /// Unspecified: the kernel chooses.
    address: Option<IpAddr>,
    ports: Ports<'h>,
    timeout: Duration,
}

/// From which ports connections are made. Never left to the kernel, which soon takes one again: to
/// a director that would be the same connection.
#[derive(Debug, Clone, Copy)]
enum Ports<'h> {
    /// This for the first attempt, and so on.
    From(u16),
    /// The next that nobody in the namespace has had.
    Next(&'h AtomicU16),
}

/// The answer of a UDP echo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpAnswer {
    /// The real server that answered.
    pub server: String,
    /// What it sent back.
    pub payload: Vec<u8>,
    /// Where the answer came from.
    pub from: SocketAddr,
}

impl<'h> Client<'h> {
    pub(crate) fn new(netns: &'h Netns) -> Self {
        let timeout = Duration::from_secs(10);
        let ports = Ports::Next(netns.ports());
        Self { netns, origin: Origin { address: None, ports, timeout } }
    }

    /// How long a connection may take to be made, and to be silent (10 s unless said).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.origin.timeout = timeout;
        self
    }

    /// Connects from this address of the host.
    #[must_use]
    pub fn from_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.origin.address = Some(address.into());
        self
    }

    /// Connects from this port, the next attempt from the one after it, and so on.
    #[must_use]
    pub fn from_port(mut self, first: u16) -> Self {
        self.origin.ports = Ports::From(first);
        self
    }

    /// A TCP connection.
    pub fn connect(&self, to: impl Into<SocketAddr>) -> Result<TcpStream> {
        let to = to.into();
        self.netns.run(|| self.origin.connect(to, 0))
    }

    /// One HTTP request with the method `GET`.
    pub fn get(&self, to: impl Into<SocketAddr>, path: &str) -> Result<Answer> {
        http::get(self.connect(to)?, path)
    }

    /// Sends that much content in a `POST`.
    ///
    /// # Errors
    ///
    /// Also when the server got other bytes than were sent.
    pub fn upload(&self, to: impl Into<SocketAddr>, bytes: u64) -> Result<Answer> {
        http::post(self.connect(to)?, bytes)
    }

    /// Gets that much content.
    ///
    /// # Errors
    ///
    /// Also when a byte of it is not what it must be.
    pub fn download(&self, to: impl Into<SocketAddr>, bytes: u64) -> Result<Downloaded> {
        self.start_download(to, bytes, None)?.finish()
    }

    /// Starts to get that much content, no faster than `rate` bytes a second when there is one, and
    /// goes on in the background.
    pub fn start_download(
        &self,
        to: impl Into<SocketAddr>,
        bytes: u64,
        rate: Option<u64>,
    ) -> Result<Download> {
        Ok(Download::start(self.connect(to)?, bytes, rate))
    }

    /// So many requests of `/`, one after the other, counted by the real server that answered. Given
    /// up after ten failures.
    pub fn sequential(&self, to: impl Into<SocketAddr>, requests: usize) -> Split {
        let to = to.into();
        self.netns.run(|| self.origin.requests(to, 0..requests))
    }

    /// So many requests of `/` by `workers` at once, each of which gives up after ten failures.
    pub fn parallel(&self, to: impl Into<SocketAddr>, requests: usize, workers: usize) -> Split {
        let to = to.into();
        let mine = |worker| (worker..requests).step_by(workers);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..workers)
                .map(|worker| {
                    scope.spawn(move || self.netns.run(|| self.origin.requests(to, mine(worker))))
                })
                .collect();
            let splits = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            splits.fold(Split::default(), Split::merge)
        })
    }

    /// The greeting of a TCP echo, after it has sent the payload back.
    pub fn tcp_echo(&self, to: impl Into<SocketAddr>, payload: &[u8]) -> Result<String> {
        echoed(self.connect(to)?, payload)
    }

    /// So many associations of SCTP with an echo, each of which gets the payload back, counted by the real server
    /// that answered. Given up after ten failures.
    pub fn associations(&self, to: impl Into<SocketAddr>, count: usize, payload: &[u8]) -> Split {
        let to = to.into();
        let ask = |attempt| {
            let stream = self.origin.connect_by(Protocol::from(SCTP), to, attempt)?;
            echoed(stream, payload)
        };
        self.netns.run(|| series(0..count, ask))
    }

    /// Asks a UDP echo with one datagram.
    pub fn udp(&self, to: impl Into<SocketAddr>, payload: &[u8]) -> Result<UdpAnswer> {
        let to = to.into();
        self.netns.run(|| self.origin.udp(to, 0, payload))
    }

    /// So many datagrams, each from a socket of its own, counted by the real server that answered.
    /// Given up after ten failures.
    pub fn datagrams(&self, to: impl Into<SocketAddr>, count: usize, payload: &[u8]) -> Split {
        let to = to.into();
        let ask = |attempt| Ok(self.origin.udp(to, attempt, payload)?.server);
        self.netns.run(|| series(0..count, ask))
    }

    /// One ICMP echo; returns when it is answered.
    pub fn ping(&self, to: impl Into<IpAddr>) -> Result<()> {
        let to = to.into();
        self.netns.run(|| ping::ping(to, self.origin.timeout))
    }

    /// Runs the real `curl` with these arguments, under the same limits on connecting and silence, and
    /// returns what it printed.
    ///
    /// # Errors
    ///
    /// When it fails, also at an HTTP error.
    pub fn curl(&self, arguments: &[&str]) -> Result<String> {
        let limit = self.origin.timeout.as_secs().max(1).to_string();
        let mut argv = vec!["curl", "--silent", "--show-error", "--fail"];
        argv.extend(["--connect-timeout", &limit, "--speed-limit", "1", "--speed-time", &limit]);
        argv.extend_from_slice(arguments);
        self.netns.exec(&argv)
    }
}

impl Origin<'_> {
    /// A connection, with limits on silence; `attempt` chooses the port.
    pub(crate) fn connect(&self, to: SocketAddr, attempt: usize) -> Result<TcpStream> {
        self.connect_by(Protocol::TCP, to, attempt)
    }

    /// The same over a protocol of streams.
    fn connect_by(&self, protocol: Protocol, to: SocketAddr, attempt: usize) -> Result<TcpStream> {
        let socket = self.socket(to, attempt, Type::STREAM, protocol)?;
        socket
            .connect_timeout(&to.into(), self.timeout)
            .with_context(|| format!("connecting to {to}"))?;
        Ok(socket.into())
    }

    fn requests(&self, to: SocketAddr, attempts: impl Iterator<Item = usize>) -> Split {
        series(attempts, |attempt| http::get(self.connect(to, attempt)?, "/")?.name())
    }

    fn udp(&self, to: SocketAddr, attempt: usize, payload: &[u8]) -> Result<UdpAnswer> {
        let socket: UdpSocket = self.socket(to, attempt, Type::DGRAM, Protocol::UDP)?.into();
        // Connected: an answer from elsewhere than `to` is not accepted, as by a real resolver.
        socket.connect(to)?;
        socket.send(payload)?;
        let mut buffer = vec![0; 65_536];
        let (length, from) =
            socket.recv_from(&mut buffer).with_context(|| format!("no answer of {to}"))?;
        let answer = &buffer[..length];
        let end =
            answer.iter().position(|&byte| byte == b'\n').context("an answer without a name")?;
        let payload_back = &answer[end + 1..];
        ensure!(payload_back == payload, "the echo differs");
        let server = String::from_utf8_lossy(&answer[..end]).into_owned();
        Ok(UdpAnswer { server, payload: payload_back.into(), from })
    }

    fn socket(
        &self,
        to: SocketAddr,
        attempt: usize,
        kind: Type,
        protocol: Protocol,
    ) -> Result<Socket> {
        let socket = Socket::new(Domain::for_address(to), kind, Some(protocol))?;
        socket.set_read_timeout(Some(self.timeout))?;
        socket.set_write_timeout(Some(self.timeout))?;
        let any = if to.is_ipv4() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        };
        let from = SocketAddr::new(self.address.unwrap_or(any), self.ports.take(attempt)?);
        socket.set_reuse_address(true)?;
        socket.bind(&from.into()).with_context(|| format!("binding to {from}"))?;
        Ok(socket)
    }
}

impl Ports<'_> {
    fn take(self, attempt: usize) -> Result<u16> {
        match self {
            Self::From(first) => first.checked_add(u16::try_from(attempt)?),
            Self::Next(next) => {
                let port = next.fetch_add(1, Ordering::Relaxed);
                (port < KERNELS_PORTS).then_some(port)
            }
        }
        .context("no port left")
    }
}

/// The greeting of an echo, after it has sent the payload back.
fn echoed(mut stream: TcpStream, payload: &[u8]) -> Result<String> {
    let mut name = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    reader.read_line(&mut name)?;
    stream.write_all(payload)?;
    let mut echoed = vec![0; payload.len()];
    reader.read_exact(&mut echoed)?;
    ensure!(echoed == payload, "the echo differs");
    Ok(name.trim_end().into())
}

/// Counts attempts until all are made or too many have failed.
fn series(
    attempts: impl Iterator<Item = usize>,
    mut attempt: impl FnMut(usize) -> Result<String>,
) -> Split {
    let mut split = Split::default();
    for number in attempts {
        split.count(attempt(number));
        if split.failures().len() == FAILURES_MAX {
            split.count(Err(anyhow!("no further attempt after {FAILURES_MAX} failures")));
            break;
        }
    }
    split
}
