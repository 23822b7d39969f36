//! Starting a real server's end of tunnels on a host.
#![forbid(unsafe_code)]

use std::io::{BufRead as _, BufReader};

use anyhow::{Result, bail};

use crate::{
    decap,
    netns::Netns,
    process::Process,
    topology::Host,
    web::{READY, peer_program},
};

/// The UDP port that gue is taken at.
pub const GUE_PORT: u16 = 5555;

/// A host's end of tunnels of every type ([`decap`]); dropped, it ends.
#[derive(Debug)]
pub struct TunnelEnd {
    process: Process,
}

impl TunnelEnd {
    /// Starts it as a process of its own and returns when packets are taken out.
    ///
    /// # Errors
    ///
    /// When `lab-peer` is not found or says no: with what it said.
    pub fn start(host: &Host) -> Result<Self> {
        Self::start_in(host.netns())
    }

    /// The same in a namespace that is no topology's.
    pub fn start_in(netns: &Netns) -> Result<Self> {
        let mut command = netns.command(peer_program()?);
        command.args(["decap", "--gue", &GUE_PORT.to_string()]);
        let log = netns.lab().directory().join(format!("decap-{}.log", netns.name()));
        let (process, stdout) = Process::start_talking(command, &log)?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() != READY {
            bail!("tunnels do not end at {}: {}", netns.name(), process.log());
        }
        netns.ip(&[format!("link set {} up", decap::DEVICE)])?;
        Ok(Self { process })
    }

    /// Which outer packets it did not take, and why.
    #[must_use]
    pub fn complaints(&self) -> String {
        self.process.log()
    }
}
