//! Keeps the way to every real server known: asks the resolver, tells the director.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use crate::{
    director::{DirectorError, Handle},
    model::{Hop, Network, Way},
    netlink::{NextHop, Report, Resolution, Resolver},
};

/// Runs until the director or the resolver has ended, or nobody tells of the network any more.
///
/// # Errors
/// The director has stopped.
pub async fn run<R: Resolver>(
    director: Handle,
    mut resolver: R,
    mut network: watch::Receiver<Network>,
) -> Result<(), DirectorError> {
    let mut wanted = director.wanted();
    let mut found = BTreeMap::new();
    let mut watched = BTreeSet::new();
    wanted.mark_changed();
    loop {
        let ways: Vec<_> = tokio::select! {
            changed = wanted.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let wanted = wanted.borrow_and_update();
                if wanted.addresses != watched {
                    watched.clone_from(&wanted.addresses);
                    found.retain(|address, _| watched.contains(address));
                    resolver.watch(watched.clone());
                }
                continue;
            }
            reports = resolver.changed() => {
                let Some(reports) = reports else { return Ok(()) };
                let network = network.borrow();
                let told = reports.into_iter().map(|Report { address, resolution }| {
                    let told = (address, way(&resolution, &network));
                    found.insert(address, resolution);
                    told
                });
                told.collect()
            }
            changed = network.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let network = network.borrow_and_update();
                found.iter().map(|(address, it)| (*address, way(it, &network))).collect()
            }
        };
        director.resolve(ways).await?;
    }
}

fn way(resolution: &Resolution, network: &Network) -> Way {
    match resolution {
        Resolution::Resolved(next_hop) => hop(next_hop, network).unwrap_or_else(Way::None),
        Resolution::Local => Way::Local,
        Resolution::Unresolved(why) => Way::None(why.to_string()),
    }
}

fn hop(next: &NextHop, network: &Network) -> Result<Way, String> {
    let leaving = network.leaving(next.interface).map_err(|why| why.to_string())?;
    let is_itself = leaving.interface == next.interface;
    let mtu =
        network.interfaces.get(&leaving.interface).map_or(next.mtu, |it| leaving.room(it.mtu));
    let name = || network.name(leaving.interface);
    Ok(Way::Hop(Hop {
        reflects: network.reflects(leaving.interface),
        interface: leaving.interface,
        interface_name: if is_itself { next.interface_name.clone() } else { name() },
        mtu: next.mtu.min(mtu),
        destination: next.dst_mac,
        source: next.src_mac,
        from: next.source,
        tags: leaving.tags,
    }))
}
