//! A controller over a data plane in memory, on a socket of its own; and what its rules are.

use std::{env, fs, net, path::PathBuf, process};

use anyhow::{Context as _, Result, ensure};
use lvs_ctl::{
    api::{
        client::Client,
        server, socket,
        types::{Change, ChangeRequest, ListQuery},
    },
    cli::{
        ipvsadm::{self, Program, Streams},
        names::Names,
    },
    config::Standing,
    dataplane::memory::Memory,
    director::{self, Director, Handle, Options, ServiceEntry},
    model::{Dest, Host, LinkFacts, Protocol, Way, health::Effective, text::Naming},
};
use tokio::runtime::Runtime;

/// Inputs after which the rules begin anew, so that they stay few.
const TOGETHER: u32 = 200;

/// A running controller; it ends with the value.
pub(crate) struct Controller {
    /// A connection to it.
    pub(crate) client: Client,
    plane: Memory,
    directory: PathBuf,
    inputs: u32,
    handle: Handle,
    runtime: Runtime,
}

/// All that a refusal must leave as it is, in words.
#[derive(Debug, PartialEq)]
pub(crate) struct State(String);

/// A machine with an interface.
struct AnyHost;

/// Names that are the same everywhere.
pub(crate) struct Ports;

impl Controller {
    /// Starts one.
    pub(crate) fn start() -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let directory = env::temp_dir().join(format!("lvs-fuzz-{}", process::id()));
        fs::create_dir_all(&directory)?;
        let plane = Memory::default();
        let director = Director::new(plane.clone(), Box::new(AnyHost), Options::default());
        let path = directory.join("lvs.sock");
        let (listener, router, handle) = runtime.block_on(async {
            let (handle, _) = director::spawn(director);
            tokio::spawn(resolve(handle.clone()));
            let router = server::router(handle.clone(), server::Options::default());
            anyhow::Ok((socket::bind(&path, &socket::Access::default())?, router, handle))
        })?;
        runtime.spawn(socket::serve(listener, router, std::future::pending()));
        let client = Client::connect(&path)?;
        Ok(Self { client, plane, directory, inputs: 0, handle, runtime })
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("lvs.sock")
    }

    /// A file to be read by what is tried.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.join("input")
    }

    /// The rules before an input: now and then none.
    pub(crate) fn before(&mut self) -> Result<State> {
        self.inputs += 1;
        if self.inputs.is_multiple_of(TOGETHER) {
            let request =
                ChangeRequest { changes: vec![Change::Flush], ..ChangeRequest::default() };
            self.runtime.block_on(self.handle.change(request))?;
        }
        self.state()
    }

    /// The rules after it: those of the data plane, too.
    pub(crate) fn after(&self) -> Result<State> {
        let state = self.state()?;
        let shown = self.standing()?.listing.services;
        let table = self.plane.state().table.clone();
        ensure!(table.services().len() == shown.len(), "the data plane has other services");
        for entry in shown {
            let carried = table.get(&entry.service.id).context("the data plane has it not")?;
            let same = carried.service == entry.service
                && carried.pool.iter().map(|real| real.dest).eq(seen(&entry));
            ensure!(same, "the data plane has another {}", entry.service.id);
        }
        Ok(state)
    }

    /// Runs one of ipvsadm's programs: the exit code, and what was said on standard error.
    pub(crate) fn ipvsadm(
        &mut self,
        program: Program,
        words: &[String],
        mut input: &[u8],
    ) -> (u8, String) {
        let (mut output, mut error) = (Vec::new(), Vec::new());
        let streams = Streams { input: &mut input, output: &mut output, error: &mut error };
        let exit = ipvsadm::run(program, words, streams, &Ports, Ok(&mut self.client));
        (exit, String::from_utf8_lossy(&error).into_owned())
    }

    /// What a configuration file is compared with.
    pub(crate) fn standing(&self) -> Result<Standing> {
        let handle = &self.handle;
        self.runtime.block_on(async {
            Ok(Standing {
                listing: handle.listing(ListQuery::default()).await?,
                timeouts: handle.settings().await?.timeouts,
                tunables: handle.tunables().await?,
                marks: handle.marks().await?,
            })
        })
    }

    fn state(&self) -> Result<State> {
        let settings = self.runtime.block_on(self.handle.settings())?;
        let Standing { listing, timeouts, tunables, marks } = self.standing()?;
        let values: Vec<_> = tunables.tunables.iter().map(|tunable| tunable.value).collect();
        let rules = (listing.revision, listing.services, marks.marks, marks.declared);
        Ok(State(format!("{rules:?} {timeouts:?} {values:?} {:?}", settings.daemons)))
    }
}

/// The real servers of a service that packets see: the operator's, by what their health gives them.
fn seen(entry: &ServiceEntry) -> Vec<Dest> {
    let sorry = entry.sorry.iter().map(|sorry| sorry.dest);
    let sorry = sorry.filter(|sorry| entry.dests.iter().all(|it| it.dest.addr != sorry.addr));
    let own = entry.dests.iter().filter_map(|it| match it.effective {
        None => Some(it.dest),
        Some(Effective::Weight(weight)) => Some(Dest { weight, ..it.dest }),
        Some(Effective::Absent) => None,
    });
    sorry.chain(own).collect()
}

/// Nobody waits for ways that nobody would find.
async fn resolve(handle: Handle) {
    let mut wanted = handle.wanted();
    while wanted.changed().await.is_ok() {
        let none = |address: &net::IpAddr| (*address, Way::None("nobody is there".to_owned()));
        let ways = wanted.borrow_and_update().addresses.iter().map(none).collect();
        if handle.resolve(ways).await.is_err() {
            break;
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            eprintln!("fuzz: {}: {error}", self.directory.display());
        }
    }
}

impl Host for AnyHost {
    fn link(&self, name: &str) -> Option<LinkFacts> {
        (name == "lo").then_some(LinkFacts { mtu: 65_536, up: true, loopback: true })
    }

    fn is_broadcast(&self, address: net::Ipv4Addr) -> bool {
        address.is_broadcast()
    }

    fn is_own(&self, address: net::Ipv6Addr) -> bool {
        address.is_loopback()
    }
}

impl Naming for Ports {
    fn host(&self, address: net::IpAddr) -> Option<String> {
        address.is_loopback().then(|| "localhost".to_owned())
    }

    fn port(&self, port: u16, _: Protocol) -> Option<String> {
        (port == 80).then(|| "http".to_owned())
    }
}

impl Names for Ports {
    fn address(&self, host: &str) -> Option<net::Ipv4Addr> {
        (host == "localhost").then_some(net::Ipv4Addr::LOCALHOST)
    }

    fn port_number(&self, name: &str, _: Protocol) -> Option<u16> {
        (name == "http").then_some(80)
    }
}
