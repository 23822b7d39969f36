//! A real server's host, set up by the product: `lvs-ctl realserver`.
#![forbid(unsafe_code)]

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{
    director::{Said, controller_program},
    topology::Host,
};

/// `lvs-ctl realserver` on one host. Dropped, packets pass as they are; the rest goes with the host.
#[derive(Debug)]
pub struct RealServer<'h> {
    host: &'h Host,
    program: PathBuf,
    record: PathBuf,
    pins: PathBuf,
}

impl<'h> RealServer<'h> {
    /// On this host, with files of its own.
    ///
    /// # Errors
    ///
    /// When `lvs-ctl` is not found.
    pub fn on(host: &'h Host) -> Result<Self> {
        let lab = host.netns().lab();
        let record = lab.directory().join(format!("realserver-{}.json", host.name()));
        let pins = lab.mount_bpffs()?.join(format!("decap-{}", host.name()));
        Ok(Self { host, program: controller_program()?, record, pins })
    }

    /// Runs `lvs-ctl realserver` with these arguments, whatever comes of it.
    ///
    /// # Errors
    ///
    /// When it cannot be run.
    pub fn say(&self, arguments: &str) -> Result<Said> {
        let netns = self.host.netns();
        let line = format!("lvs-ctl realserver {arguments}");
        netns.lab().note(format!("{}$ {line}", self.host.name()));
        let output = netns
            .command(&self.program)
            .arg("realserver")
            .args(arguments.split_whitespace())
            .env("LVS_REALSERVER", &self.record)
            .env("LVS_DECAP_PIN_DIR", &self.pins)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("running {line}"))?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Ok(Said { line, code: output.status.code(), stdout, stderr })
    }

    /// The same; all must be well. Returns what it printed.
    ///
    /// # Errors
    ///
    /// When it does not exit with 0: with what it said.
    pub fn must(&self, arguments: &str) -> Result<String> {
        self.say(arguments)?.ok()
    }

    /// Has the host take packets for the VIP out of tunnels of this type: by the kernel's own devices where it has
    /// them, and else by the product's program at this interface.
    ///
    /// # Errors
    ///
    /// When neither can be had.
    pub fn end_tunnels(&self, kind: &str, vip: &str, interface: &str, port: u16) -> Result<()> {
        let arguments = format!("--vip {vip} --interface {interface} --tun-port {port}");
        let said = self.say(&format!("setup --method tun --tun-type {kind} {arguments}"))?;
        if said.code == Some(0) {
            return Ok(());
        }
        if !said.stderr.contains("there is no module") {
            bail!("{said}");
        }
        self.must(&format!("setup --method dr --vip {vip} --interface {interface}"))?;
        self.must(&format!("decap {arguments}")).map(drop)
    }
}

impl Drop for RealServer<'_> {
    fn drop(&mut self) {
        for interface in self.host.interfaces() {
            // What is left goes with the lab's BPF file system.
            self.say(&format!("decap --interface {interface} --detach")).ok();
        }
    }
}
