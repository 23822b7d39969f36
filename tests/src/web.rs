//! Starting a real server's services on a host.
#![forbid(unsafe_code)]

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
};

use anyhow::{Context as _, Result, bail};

use crate::{process::Process, topology::Host};

/// Which services on which ports. The name they answer is the host's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Services {
    /// HTTP ([`crate::serve::http`]).
    pub http: Vec<u16>,
    /// TCP echo with a greeting ([`crate::serve::echo`]).
    pub echo: Vec<u16>,
    /// UDP echo ([`crate::serve::udp`]).
    pub udp: Vec<u16>,
    /// The TCP echo over SCTP.
    pub sctp: Vec<u16>,
}

impl Services {
    /// HTTP on port 80, TCP echo on 3306, UDP echo on 53.
    #[must_use]
    pub fn usual() -> Self {
        Self { http: vec![80], echo: vec![3306], udp: vec![53], sctp: vec![] }
    }
}

/// The running services of a host; dropped, they end as in a power cut.
#[derive(Debug)]
pub struct Web {
    process: Process,
}

impl Web {
    /// Starts them as a process of their own and returns when every port is open.
    ///
    /// # Errors
    ///
    /// When `lab-peer` is not found or a port is taken: with what the process said.
    pub fn start(host: &Host, services: &Services) -> Result<Self> {
        let mut command = host.netns().command(peer_program()?);
        command.args(["serve", "--name", host.name()]);
        let ports = [
            ("--http", &services.http),
            ("--echo", &services.echo),
            ("--udp", &services.udp),
            ("--sctp", &services.sctp),
        ];
        for (flag, ports) in ports {
            for port in ports {
                command.arg(flag).arg(port.to_string());
            }
        }
        let log = host.netns().lab().directory().join(format!("web-{}.log", host.name()));
        let (process, stdout) = Process::start_talking(command, &log)?;
        // The line comes when all is open; the end of the pipe when the process has ended.
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() != READY {
            bail!("the services of {} do not start: {}", host.name(), process.log());
        }
        Ok(Self { process })
    }

    /// The process, to stop or kill it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// What `lab-peer serve` prints when all its ports are open.
pub const READY: &str = "ready";

/// The program `lab-peer`: named by `LAB_PEER`, or beside the running program (`target/<profile>`).
///
/// # Errors
///
/// When it is not there: says how to build it.
pub fn peer_program() -> Result<PathBuf> {
    if let Some(named) = env::var_os("LAB_PEER") {
        return Ok(named.into());
    }
    sibling_program("lab-peer").with_context(
        || "lab-peer is not built: cargo build -p lvs-tests --bin lab-peer (or set LAB_PEER)",
    )
}

/// A program in the directory of the running one, or (for a test in `deps`) in the one above.
pub(crate) fn sibling_program(name: &str) -> Result<PathBuf> {
    let here = env::current_exe().context("finding the running program")?;
    here.ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("no {name} beside {}", here.display()))
}
