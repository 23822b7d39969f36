//! Keeps the way to every real server known: asks the resolver, tells the director.

#![forbid(unsafe_code)]

use std::{collections::BTreeSet, net::IpAddr};

use crate::{
    director::{DirectorError, Handle},
    model::{Hop, Way},
    netlink::{Report, Resolution, Resolver},
};

/// Runs until the director or the resolver has ended. `reflects` says of an interface's number whether
/// a frame may leave in the driver by the interface that it came in by.
///
/// # Errors
/// The director has stopped.
pub async fn run<R: Resolver>(
    director: Handle,
    mut resolver: R,
    reflects: impl Fn(u32) -> bool,
) -> Result<(), DirectorError> {
    let mut wanted = director.wanted();
    let mut watched = BTreeSet::new();
    wanted.mark_changed();
    loop {
        tokio::select! {
            changed = wanted.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let wanted = wanted.borrow_and_update();
                if wanted.addresses != watched {
                    watched.clone_from(&wanted.addresses);
                    resolver.watch(watched.clone());
                }
            }
            reports = resolver.changed() => {
                let Some(reports) = reports else { return Ok(()) };
                let ways = reports.into_iter().map(|report| way(report, &reflects)).collect();
                director.resolve(ways).await?;
            }
        }
    }
}

fn way(report: Report, reflects: impl Fn(u32) -> bool) -> (IpAddr, Way) {
    let way = match report.resolution {
        Resolution::Resolved(hop) => Way::Hop(Hop {
            reflects: reflects(hop.interface),
            interface: hop.interface,
            interface_name: hop.interface_name,
            mtu: hop.mtu,
            destination: hop.dst_mac,
            source: hop.src_mac,
            from: hop.source,
        }),
        Resolution::Local => Way::None("it is an address of the director itself".to_owned()),
        Resolution::Unresolved(why) => Way::None(why.to_string()),
    };
    (report.address, way)
}
