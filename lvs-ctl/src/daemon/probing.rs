//! Sets up the data path of health checks; a director without it goes on.

#![forbid(unsafe_code)]

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use tokio::sync::watch;

use crate::{
    dataplane::kernel::{Kernel, probing::Probing},
    director::Handle,
    health::ways::{Direct, Ways},
    model::Network,
    netlink::probe,
    probe::ThroughService,
};

/// Makes the device and has its packets sent on.
pub(super) async fn set_up(kernel: &mut Kernel, pin_dir: &Path) -> Option<Probing> {
    match try_set_up(kernel, pin_dir).await {
        Ok(probing) => Some(probing),
        Err(error) => {
            kernel.probe_no_more();
            let error = format!("{error:#}");
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

async fn try_set_up(kernel: &mut Kernel, pin_dir: &Path) -> anyhow::Result<Probing> {
    let device = probe::set_up(&owner(pin_dir)).await;
    let device = device.context("cannot set up the device of health checks")?;
    kernel.probe_by(device.far)?;
    Ok(kernel.probing()?)
}

/// A director is known by where its data plane is.
fn owner(pin_dir: &Path) -> String {
    pin_dir.display().to_string()
}
