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

use std::os::unix::process::ExitStatusExt as _;

use futures_util::future::BoxFuture;

use super::{Probe, Trip, Trouble, words};
use crate::{
    health::program::{Environment, Running, about},
    model::health::{Errand, Failure, Good, Stage, Target},
};

/// Runs a program.
#[derive(Debug)]
pub(super) struct Exec {
    command: Vec<String>,
}

impl Exec {
    pub(super) fn new(command: &[String]) -> Self {
        Self { command: command.to_vec() }
    }

    async fn ask(&self, trip: &Trip) -> Result<Good, Trouble> {
        trip.progress.at(Stage::Run);
        let running = Running::start(&self.command, environment(&trip.errand, &trip.target));
        let running = running.map_err(|error| Failure::Program(words(&error)))?;
        let status = running.end().await;
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

fn environment(errand: &Errand, target: &Target) -> Environment {
    let mut all = about(errand.service, Some(&errand.dest.addr));
    all.extend([
        ("LVS_ADDRESS", target.endpoint.ip().to_string()),
        ("LVS_PORT", target.endpoint.port().to_string()),
        ("LVS_WEIGHT", errand.dest.weight.to_string()),
    ]);
    all
}
