//! A program says so (keepalived's `MISC_CHECK` with `misc_dynamic`).
//!
//! It is run without a shell, in a process group of its own and with an environment of its own:
//!
//! | | |
//! | --- | --- |
//! | `LVS_SERVICE` | the virtual service: `tcp:192.0.2.1:80`, `fwmark:7` |
//! | `LVS_VIP`, `LVS_VPORT`, `LVS_PROTOCOL` | its parts; not of a firewall mark |
//! | `LVS_RIP`, `LVS_RPORT` | the real server |
//! | `LVS_ADDRESS`, `LVS_PORT` | what the check is to look at: the real server, unless the check says otherwise |
//! | `LVS_WEIGHT` | the operator's weight |
//! | `PATH` | `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` |

use std::{os::unix::process::ExitStatusExt as _, process::Stdio};

use futures_util::future::BoxFuture;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use super::{Probe, Trip, Trouble, words};
use crate::model::{
    ServiceId,
    health::{Errand, Failure, Good, Target},
    service_text,
};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a program.
#[derive(Debug)]
pub(super) struct Exec {
    command: Vec<String>,
}

/// A program that runs. All its processes end with this, however it ends.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Exec {
    pub(super) fn new(command: &[String]) -> Self {
        Self { command: command.to_vec() }
    }

    async fn ask(&self, trip: &Trip) -> Result<Good, Trouble> {
        let mut words_of = self.command.iter();
        let program = words_of.next().ok_or_else(|| Trouble::Own("no program".to_owned()))?;
        let mut command = Command::new(program);
        command
            .args(words_of)
            .env_clear()
            .env("PATH", PATH)
            .envs(environment(&trip.errand, &trip.target))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().map_err(|error| Failure::Program(words(&error)))?;
        let status = Running::new(child).end().await;
        let status = status.map_err(|error| Trouble::Own(words(&error)))?;
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(Good::default()),
            (Some(code @ 2..), _) => {
                let weight = u32::try_from(code - 2).unwrap_or_default();
                Ok(Good { weight: Some(weight), warning: None })
            }
            (_, Some(signal)) => Err(Failure::Signal(signal).into()),
            (code, None) => Err(Failure::Exit(code.unwrap_or(1)).into()),
        }
    }
}

impl Probe for Exec {
    fn probe<'a>(&'a self, trip: &'a Trip) -> BoxFuture<'a, Result<Good, Trouble>> {
        Box::pin(self.ask(trip))
    }
}

impl Running {
    fn new(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { child, group: id.map(Pid::from_raw) }
    }

    async fn end(mut self) -> std::io::Result<std::process::ExitStatus> {
        self.child.wait().await
    }
}

impl Drop for Running {
    /// What it left running ends too. The group's number is not another's as long as one of them
    /// lives; if none does, there is nobody to be found.
    fn drop(&mut self) {
        if let Some(group) = self.group {
            killpg(group, Signal::SIGKILL).ok();
        }
    }
}

fn environment(errand: &Errand, target: &Target) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("LVS_SERVICE", service_text::write(errand.service)),
        ("LVS_RIP", errand.dest.addr.address.to_string()),
        ("LVS_RPORT", errand.dest.addr.port.to_string()),
        ("LVS_ADDRESS", target.endpoint.ip().to_string()),
        ("LVS_PORT", target.endpoint.port().to_string()),
        ("LVS_WEIGHT", errand.dest.weight.to_string()),
    ];
    if let ServiceId::Address { protocol, address, port } = errand.service {
        all.extend([
            ("LVS_PROTOCOL", protocol.name().to_owned()),
            ("LVS_VIP", address.to_string()),
            ("LVS_VPORT", port.to_string()),
        ]);
    }
    all
}
