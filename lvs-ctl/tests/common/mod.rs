//! A controller on a socket of its own, over a data plane in memory; and the names of the recordings.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

pub mod configured;
pub mod meddling;
pub mod random;
pub mod typed;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    str::FromStr,
};

use lvs_ctl::{
    api::{client::Client, server, socket},
    cli::names::{Names, Services},
    dataplane::memory::Memory,
    director::{self, Director, Handle, Options},
    model::{Host, LinkFacts, Protocol, text::Naming},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A running controller; it ends with the value.
pub struct Scratch {
    pub directory: TempDir,
    pub plane: Memory,
    runtime: Runtime,
}

impl Scratch {
    /// Starts a controller that forgets.
    pub fn start() -> Self {
        Self::with(|director| director)
    }

    /// Starts a controller after `prepare` had its way with the director.
    pub fn with(prepare: impl FnOnce(Director<Memory>) -> Director<Memory>) -> Self {
        Self::serving(tempfile::tempdir().unwrap(), prepare, |_| server::Options::default())
    }

    /// Starts a controller that serves as it is told.
    pub fn told(options: server::Options) -> Self {
        Self::serving(tempfile::tempdir().unwrap(), |director| director, |_| options)
    }

    /// The same in a directory that is there, serving as `told` says.
    pub fn serving(
        directory: TempDir,
        prepare: impl FnOnce(Director<Memory>) -> Director<Memory>,
        told: impl FnOnce(Handle) -> server::Options,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let plane = Memory::default();
        let director =
            prepare(Director::new(plane.clone(), Box::new(RecordedHost), Options::default()));
        let socket = directory.path().join("lvs.sock");
        let (listener, router) = runtime.block_on(async {
            let (handle, _) = director::spawn(director);
            let router = server::router(handle.clone(), told(handle));
            (socket::bind(&socket, &socket::Access::default()).unwrap(), router)
        });
        runtime.spawn(socket::serve(listener, router, std::future::pending()));
        Self { directory, plane, runtime }
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("lvs.sock")
    }

    /// Runs `future` where the controller runs.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.socket()).unwrap()
    }
}

/// The interfaces of the machine that was recorded: `lo`, and dummies `d0` with 198.51.100.1/24,
/// `d1` that is down, `d2` without address.
pub struct RecordedHost;

impl Host for RecordedHost {
    fn link(&self, name: &str) -> Option<LinkFacts> {
        match name {
            "lo" => Some(LinkFacts { mtu: 65536, up: true, loopback: true }),
            "d0" | "d1" | "d2" => Some(LinkFacts { mtu: 1500, up: name != "d1", loopback: false }),
            _ => None,
        }
    }

    fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        [[127, 255, 255, 255], [198, 51, 100, 255]].contains(&address.octets())
    }

    fn is_own(&self, address: Ipv6Addr) -> bool {
        address.is_loopback()
    }
}

/// `/etc/hosts` and `/etc/services` of the machine that was recorded.
pub struct FixedNames {
    hosts: Vec<(IpAddr, Vec<String>)>,
    services: Services,
}

impl FixedNames {
    pub fn recorded() -> Self {
        let hosts = include_str!("../../testdata/hosts");
        Self {
            hosts: hosts.lines().map(host).collect(),
            services: Services::parse(include_str!("../../testdata/services")),
        }
    }
}

fn host(line: &str) -> (IpAddr, Vec<String>) {
    let mut words = line.split_whitespace();
    let address = IpAddr::from_str(words.next().unwrap()).unwrap();
    (address, words.map(str::to_owned).collect())
}

impl Naming for FixedNames {
    fn host(&self, address: IpAddr) -> Option<String> {
        let found = self.hosts.iter().find(|(known, _)| *known == address);
        found.and_then(|(_, names)| names.first().cloned())
    }

    fn port(&self, port: u16, protocol: Protocol) -> Option<String> {
        self.services.name(port, protocol)
    }
}

impl Names for FixedNames {
    fn address(&self, host: &str) -> Option<Ipv4Addr> {
        self.hosts.iter().find_map(|(address, names)| match address {
            IpAddr::V4(address) if names.iter().any(|name| name.eq_ignore_ascii_case(host)) => {
                Some(*address)
            }
            _ => None,
        })
    }

    fn port_number(&self, name: &str, protocol: Protocol) -> Option<u16> {
        self.services.port(name, protocol)
    }
}
