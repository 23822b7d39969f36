//! The director, its real servers and a client that asks.

use std::{
    io::ErrorKind,
    net::UdpSocket,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use lvs_tests::{director::Settings, prelude::*};

use crate::usage::spent;

/// How long the first answer may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two questions that nobody answers.
const STEP: Duration = Duration::from_millis(1);
/// How long an answer may take while everything is in place.
const SOON: Duration = Duration::from_secs(2);

/// A start of a controller.
#[derive(Clone, Copy)]
pub struct Began {
    /// To the answer that it is measured by.
    pub took: Duration,
    /// Of a processor, which no other process is in the way of.
    pub cpu: Duration,
}

/// Within which an answer comes if somebody forwards, on a busy machine.
const GONE: Duration = Duration::from_millis(500);

/// The DR cluster of the manual.
pub struct Bed {
    director: Director,
    socket: UdpSocket,
    _topology: Topology,
    _web: Vec<Web>,
}

impl Bed {
    /// A director of the usual size, with one service.
    pub fn new() -> Result<Self> {
        let topology = Topology::dr(Offload::Prepared)?;
        let web = topology.serve(&Services::usual())?;
        let host = topology.host("director");
        let director = Director::start_with(host, Settings::new(host, Mode::Native))?;
        director.ipvsadm(&format!("-A -u {}:53 -s rr", layout::DR_VIP))?;
        for (_, rip) in layout::DR_SERVERS {
            director.ipvsadm(&format!("-a -u {}:53 -r {rip}:53 -g", layout::DR_VIP))?;
        }
        director.wait_until_resolved()?;
        let client = topology.host("client").netns();
        let socket = client.run(|| UdpSocket::bind((layout::CLIENT, 0)))?;
        let bed = Self { director, socket, _topology: topology, _web: web };
        bed.ask(SOON)?.context("no answer")?;
        Ok(bed)
    }

    /// The controller's.
    pub fn pid(&self) -> Result<u32> {
        self.director.pid().context("the controller runs")
    }

    /// Where the data plane is.
    pub fn pin_dir(&self) -> &Path {
        self.director.pin_dir()
    }

    /// From the next first start on, tables are made for so many.
    pub fn resize(&mut self, connections: u32, connections6: u32) {
        let sizes = [("--connections", connections), ("--connections6", connections6)];
        let arguments = sizes.map(|(name, size)| format!("{name}={size}"));
        self.director.settings().arguments = arguments.into();
    }

    /// Starts the director where nothing is in place but its rules on disk: to the first answer that a
    /// client gets through it.
    pub fn first_start(&mut self) -> Result<Began> {
        ensure!(self.director.stop()?.success(), "the controller did not end well");
        self.director.shell("lvs-ctl detach --keep-rules")?.ok()?;
        // The kernel takes the program off its interface a moment after its last pin has gone.
        eventually("nobody answers", SOON, || match self.ask(GONE) {
            Ok(Some(())) => None,
            done => Some(done.map(drop)),
        })??;
        let Self { director, socket, .. } = self;
        thread::scope(|scope| {
            let begun = Instant::now();
            let asking = scope.spawn(|| first_answer(socket));
            director.run()?;
            let answered = asking.join().expect("the client does not panic")?;
            let pid = director.pid().context("the controller runs")?;
            Ok(Began { took: answered.duration_since(begun), cpu: spent(pid)? })
        })
    }

    /// Starts a controller over what another one left, while a client goes on asking: to the answer of
    /// its first command.
    ///
    /// # Errors
    /// A question stayed without an answer.
    pub fn restart(&mut self) -> Result<Began> {
        let over = AtomicBool::new(false);
        let Self { director, socket, .. } = self;
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    ask(socket, SOON)?.context("a question was lost at a restart")?;
                }
                anyhow::Ok(())
            });
            let restarted = (|| {
                ensure!(director.stop()?.success(), "the controller did not end well");
                let begun = Instant::now();
                director.run()?;
                let took = begun.elapsed();
                let pid = director.pid().context("the controller runs")?;
                Ok(Began { took, cpu: spent(pid)? })
            })();
            over.store(true, Ordering::Relaxed);
            asking.join().expect("the client does not panic")?;
            restarted
        })
    }

    /// Sweeps of the controller so far.
    pub fn sweeps(&self) -> Result<u32> {
        self.director.status()?.sweeps()
    }

    /// Fails unless the director has so many connections, and one that it had before.
    pub fn knows(&self, connections: u32) -> Result<()> {
        let used = |status: &Status| status.used("connections").ok();
        let least = u64::from(connections);
        self.director.wait_for_status("the connections are counted", |status| {
            used(status).filter(|used| *used >= least)
        })?;
        self.ask(SOON)?.context("no answer").map(drop)
    }

    fn ask(&self, patience: Duration) -> Result<Option<()>> {
        ask(&self.socket, patience)
    }
}

/// Asks until somebody answers: when that was.
fn first_answer(socket: &UdpSocket) -> Result<Instant> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if ask(socket, STEP)?.is_some() {
            return Ok(Instant::now());
        }
    }
    anyhow::bail!("no answer in {PATIENCE:?}")
}

fn ask(socket: &UdpSocket, patience: Duration) -> Result<Option<()>> {
    socket.send_to(b"?", (layout::DR_VIP, 53))?;
    socket.set_read_timeout(Some(patience))?;
    match socket.recv(&mut [0; 64]) {
        Ok(_) => Ok(Some(())),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
