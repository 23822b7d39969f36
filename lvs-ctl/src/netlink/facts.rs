//! All that is to be known of an interface before the program is attached to it.

use std::{fs, io, path::Path};

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    link::{self, Attached, Link, Place},
    offload::{self, Offloads, XdpFeatures},
    socket::Requests,
};

/// An interface that is to carry the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFacts {
    /// The interface.
    pub link: Link,
    /// The driver of a real one ("`virtio_net`", "`mlx5_core`").
    pub driver: Option<String>,
    /// The bond that it is a port of.
    pub bond: Option<String>,
    /// What it can do for XDP, where the kernel tells (from 6.3 on).
    pub xdp: Option<XdpFeatures>,
}

/// The other end of a veth: the interface that sends what ours receives, and the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFacts {
    /// Its name, where it can be seen.
    pub name: Option<String>,
    /// Where it is.
    pub place: Place,
    /// Whether it carries an XDP program in its driver; not known of one that cannot be seen.
    pub native_xdp: Option<bool>,
    /// Its offloads; only those of this network namespace can be read.
    pub offloads: Option<Offloads>,
}

/// Gathers the facts of the interface of this name, and of its peer if it is a veth. `None` if
/// there is no such interface here.
///
/// What the kernel will not tell stays unknown.
///
/// # Errors
/// The kernel's, when it refuses to describe the interface itself.
pub async fn gather(name: &str) -> io::Result<Option<(LinkFacts, Option<PeerFacts>)>> {
    let mut requests = Requests::open(NETLINK_ROUTE)?;
    let Some(link) = link::get_by_name(&mut requests, name).await? else { return Ok(None) };
    let peer = peer(&mut requests, &link).await;
    let bond = match &link.master {
        Some((index, kind)) if kind == "bond" => link::get_by_index(&mut requests, *index).await?,
        _ => None,
    };
    let facts = LinkFacts {
        bond: bond.map(|bond| bond.name),
        driver: link.device.as_ref().and_then(|(bus, device)| driver(bus, device)),
        xdp: offload::xdp_features(link.index).await.ok(),
        link,
    };
    Ok(Some((facts, peer)))
}

async fn peer(requests: &mut Requests, link: &Link) -> Option<PeerFacts> {
    let lower = link.lower.filter(|_| link.kind.as_deref() == Some("veth"))?;
    let seen = match lower.place {
        Place::Here => link::get_by_index(requests, lower.index).await,
        Place::Known(netns) => link::get_elsewhere(requests, netns, lower.index).await,
        Place::Unknown => Ok(None),
    };
    let seen = seen.ok().flatten();
    let offloads = match lower.place {
        Place::Here => offload::offloads(lower.index).await.ok(),
        Place::Known(_) | Place::Unknown => None,
    };
    Some(PeerFacts {
        native_xdp: seen.as_ref().map(|it| matches!(it.xdp, Attached::Native | Attached::Several)),
        name: seen.map(|it| it.name),
        place: lower.place,
        offloads,
    })
}

/// The driver of a device. Read from the bus, not from `/sys/class/net`: that shows the network
/// namespace it was mounted in, which need not be ours.
fn driver(bus: &str, device: &str) -> Option<String> {
    let link = Path::new("/sys/bus").join(bus).join("devices").join(device).join("driver");
    Some(fs::read_link(link).ok()?.file_name()?.to_string_lossy().into_owned())
}
