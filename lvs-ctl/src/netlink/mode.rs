//! Native or generic XDP on an interface: what `auto` takes, and why.
//!
//! Native only where frames will arrive. Native XDP sees raw frames and drops what the stack knew
//! of them besides; on a device whose frames come from a sender on this machine that is the rest
//! of an unfinished checksum, and the far side drops the packet. A veth, moreover, takes a frame
//! from XDP only while the receiving end has NAPI, which GRO or an XDP program there turns on.
//! (A veth's own counters are no witness: they count frames as sent that never arrive.)

use std::fmt;

use super::{
    facts::{LinkFacts, PeerFacts},
    link::Place,
    offload::XdpFeatures,
};

/// Where in the receive path the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver, before the stack has built anything.
    Native,
    /// In the stack: slower, and right everywhere.
    Generic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// The mode that `auto` takes on an interface, and why, in a line for its operator. `peer` is the
/// other end of a veth.
///
/// Native may still be refused on attaching (driver, MTU, LRO): then take [`refused`].
#[must_use]
pub fn choose(facts: &LinkFacts, peer: Option<&PeerFacts>) -> (Mode, String) {
    let link = &facts.link;
    if link.mac.is_none() {
        let why = "it is no Ethernet interface, so no real server is reached over it";
        return (Mode::Generic, why.to_owned());
    }
    match (link.kind.as_deref(), facts.xdp) {
        (_, Some(XdpFeatures { native: false, .. })) => (Mode::Generic, not_in_driver(facts)),
        (Some("veth"), _) => veth(facts, peer),
        (Some("tun"), _) => (
            Mode::Generic,
            "a virtual machine or program on this host writes to it, often with unfinished \
             checksums that native XDP would not complete"
                .to_owned(),
        ),
        (Some("bond"), _) => {
            (Mode::Native, "a bond runs the program in the drivers of its ports".to_owned())
        }
        (Some(kind), None) if kind != "netdevsim" => {
            (Mode::Generic, format!("a {kind} interface has no driver that runs XDP"))
        }
        _ => (Mode::Native, in_driver(facts)),
    }
}

/// What to take when attaching natively failed with `error`, and why.
#[must_use]
pub fn refused(facts: &LinkFacts, error: &dyn fmt::Display) -> (Mode, String) {
    let driver = facts.driver.as_deref().or(facts.link.kind.as_deref()).unwrap_or("its driver");
    (Mode::Generic, format!("{driver} refuses native XDP: {error}"))
}

/// Why frames that a native program redirects out of this interface would be lost; `None` if they
/// are not, or the kernel cannot tell (before 6.3).
///
/// Ask it of every interface that real servers are reached by, once the programs are attached.
#[must_use]
pub fn loses_redirects(facts: &LinkFacts, peer: Option<&PeerFacts>) -> Option<String> {
    if facts.xdp?.takes_redirects {
        return None;
    }
    let name = &facts.link.name;
    Some(match facts.link.kind.as_deref() {
        Some("veth") => format!(
            "{name} drops frames from native XDP while its peer has GRO off: ethtool -K {} gro on",
            peer_name(peer)
        ),
        _ => format!("{name} takes no frames from native XDP: use --mode generic"),
    })
}

fn veth(facts: &LinkFacts, peer: Option<&PeerFacts>) -> (Mode, String) {
    let name = peer_name(peer);
    let command = format!("ethtool -K {name} gro on tx off");
    let Some((peer, offloads)) = peer.and_then(|it| Some((it, it.offloads?))) else {
        return (Mode::Generic, unseen(facts, peer, &command));
    };
    let napi = offloads.gro || peer.native_xdp == Some(true);
    match (napi, offloads.tx_checksum) {
        (true, false) => (
            Mode::Native,
            format!("its peer {name} has NAPI on and finishes checksums before sending"),
        ),
        (false, true) => (
            Mode::Generic,
            format!(
                "native XDP would lose frames: {name} has GRO off and leaves checksums \
                 unfinished; to go native: {command}"
            ),
        ),
        (true, true) => (
            Mode::Generic,
            format!(
                "native XDP would break packets: {name} leaves checksums unfinished; to go \
                 native: ethtool -K {name} tx off"
            ),
        ),
        (false, false) => (
            Mode::Generic,
            format!(
                "native XDP would lose frames: {name} has GRO off; to go native: ethtool -K \
                 {name} gro on"
            ),
        ),
    }
}

/// A veth whose other end's offloads cannot be read.
fn unseen(facts: &LinkFacts, peer: Option<&PeerFacts>, command: &str) -> String {
    let here = peer.is_some_and(|it| it.place == Place::Here);
    let place = if here { "cannot be read" } else { "are in another network namespace" };
    // Our end takes redirected frames only while the other has NAPI: that much is seen from here.
    let gro = match facts.xdp {
        Some(XdpFeatures { takes_redirects: false, .. }) => " (its GRO is off)",
        _ => "",
    };
    format!(
        "the offloads of its peer {place}{gro}; to go native: {command}{}, then --mode native",
        if here { "" } else { " over there" }
    )
}

fn peer_name(peer: Option<&PeerFacts>) -> &str {
    peer.and_then(|it| it.name.as_deref()).unwrap_or("PEER")
}

fn in_driver(facts: &LinkFacts) -> String {
    match &facts.driver {
        Some(driver) if facts.xdp.is_some() => format!("the driver {driver} runs XDP"),
        Some(driver) => format!("the driver {driver} is asked to run XDP"),
        None => "its driver is asked to run XDP".to_owned(),
    }
}

fn not_in_driver(facts: &LinkFacts) -> String {
    match (facts.link.kind.as_deref(), &facts.driver) {
        (Some("veth"), _) => {
            "native XDP needs a receive queue here for every send queue of its peer".to_owned()
        }
        (Some("bond"), _) => "not every port of the bond runs XDP".to_owned(),
        (Some(kind), _) => format!("a {kind} interface has no driver that runs XDP"),
        (None, Some(driver)) => format!("the driver {driver} does not run XDP"),
        (None, None) => "its driver does not run XDP".to_owned(),
    }
}

#[cfg(test)]
mod tests;
