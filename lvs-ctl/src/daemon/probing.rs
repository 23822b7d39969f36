//! Sets up the data path of health checks; a director without it goes on.

#![forbid(unsafe_code)]

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use lvs_common::map::probe::{DEVICE, PEER};
use tokio::sync::watch;

use crate::{
    dataplane::kernel::{Kernel, probing::Probing},
    director::Handle,
    health::ways::{Direct, Ways},
    model::{Network, Prefix, StandIns},
    netlink::{addresses, probe},
    probe::ThroughService,
};

/// Refuses networks of stand-ins that somebody has addresses in.
///
/// # Errors
/// Somebody has.
pub(super) async fn refuse_taken(stand_ins: StandIns) -> anyhow::Result<()> {
    let all = addresses::all().await.context("cannot list addresses")?;
    for taken in all.iter().filter(|it| ![DEVICE, PEER].contains(&&*it.interface)) {
        let other = Prefix::around(taken.network, taken.length);
        if let Some(own) = stand_ins.networks().into_iter().find(|own| own.overlaps(other)) {
            let interface = &taken.interface;
            bail!(
                "{own}, of real servers' stand-ins, overlaps {other} of {interface}: name another \
                    network, stand_ins in [health]"
            );
        }
    }
    Ok(())
}

/// Makes the device and has its packets sent on.
pub(super) async fn set_up(
    kernel: &mut Kernel,
    pin_dir: &Path,
    stand_ins: StandIns,
) -> Option<Probing> {
    match try_set_up(kernel, pin_dir, stand_ins).await {
        Ok(probing) => Some(probing),
        Err(error) => {
            let error = format!("{error:#}");
            kernel.probe_no_more(error.clone());
            // A former controller's would attract packets for addresses that stand for nobody now.
            remove(pin_dir).await.ok();
            tracing::warn!(%error, "no health checks through services, only direct ones");
            None
        }
    }
}

/// The ways of health checks: through services if they can be, else none but the direct ones.
pub(super) fn ways(
    probing: Option<Probing>,
    director: &Handle,
    network: watch::Receiver<Network>,
) -> Arc<dyn Ways> {
    match probing {
        Some(probing) => Arc::new(ThroughService::new(probing, director, network)),
        None => Arc::new(Direct),
    }
}

/// Removes the device, where no runtime runs.
pub(super) fn remove_now(pin_dir: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(remove(pin_dir))
}

/// Removes the device.
pub(super) async fn remove(pin_dir: &Path) -> anyhow::Result<()> {
    probe::remove(&owner(pin_dir)).await.context("cannot remove the device of health checks")
}

async fn try_set_up(
    kernel: &mut Kernel,
    pin_dir: &Path,
    stand_ins: StandIns,
) -> anyhow::Result<Probing> {
    refuse_taken(stand_ins).await?;
    let device = probe::set_up(&owner(pin_dir), stand_ins).await;
    let device = device.context("cannot set up the device of health checks")?;
    kernel.probe_by(device.far, stand_ins)?;
    Ok(kernel.probing()?)
}

/// A director is known by where its data plane is.
fn owner(pin_dir: &Path) -> String {
    pin_dir.display().to_string()
}
