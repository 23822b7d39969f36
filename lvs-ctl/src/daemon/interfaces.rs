//! The program on the interfaces that it is wanted on: also on those that appear later, or go away and
//! come back.

#![forbid(unsafe_code)]

use std::{collections::BTreeMap, fmt::Display, path::PathBuf};

use anyhow::{Context as _, bail};
use tokio::sync::watch;

use super::martians;
use crate::{
    config::{Mode, Setup},
    dataplane::DataPlane,
    director::{DirectorError, Handle},
    model::{Carrier, Hook, Interface, Network, VlanTag},
    netlink::{
        facts::{self, LinkFacts, PeerFacts},
        link::{Attached, Link, Place},
        links::Links,
        mode,
        sysctl::Sysctl,
    },
};

/// What the status says of an interface that is not there.
const ABSENT: &str = "there is no such interface; it is waited for";

/// Where the program is wanted, and where it is.
pub(super) struct Interfaces {
    wanted: Vec<String>,
    mode: Mode,
    state_dir: PathBuf,
    /// By name: number, and where in it.
    carriers: BTreeMap<String, (u32, Hook)>,
    /// By name, of those that are wanted and do not carry it: number, if they are there.
    lost: BTreeMap<String, Option<u32>>,
}

/// How the program is to stand on an interface.
struct Stand {
    hook: Hook,
    why: String,
    facts: LinkFacts,
}

impl Interfaces {
    /// What `setup` wants.
    pub(super) fn wanted(setup: &Setup) -> Self {
        Self {
            wanted: setup.interfaces.clone(),
            mode: setup.mode,
            state_dir: setup.state_dir(),
            carriers: BTreeMap::new(),
            lost: BTreeMap::new(),
        }
    }

    /// Refuses what can never be.
    ///
    /// # Errors
    /// None of the interfaces is there, or one is no place for the program.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        let mut found = false;
        for interface in &self.wanted {
            found |= look_at(interface).await?.is_some();
        }
        if !found {
            bail!("there is no interface {}", self.wanted.join(" "));
        }
        Ok(())
    }

    /// Puts the program on all of them that are there.
    ///
    /// # Errors
    /// One does not take it.
    pub(super) async fn put_in_place(&mut self, plane: &mut impl DataPlane) -> anyhow::Result<()> {
        for interface in self.wanted.clone() {
            let Some(stand) = self.stand(&interface).await? else {
                tracing::warn!(interface, "{ABSENT}");
                plane.lose(&interface, ABSENT.to_owned());
                self.lost.insert(interface, None);
                continue;
            };
            let attached = plane.attach(&interface, stand.hook, stand.why.clone());
            let stand = match (attached, self.fallback(&stand)) {
                (Ok(()), _) => stand,
                (Err(error), Some(fall_back)) => {
                    let stand = fall_back(stand, &error);
                    plane.attach(&interface, stand.hook, stand.why.clone())?;
                    stand
                }
                (Err(error), None) => return Err(error.into()),
            };
            self.attached(&interface, &stand);
        }
        Ok(())
    }

    /// Follows what becomes of the interfaces, until the director stops or the kernel says nothing more.
    pub(super) async fn follow(
        mut self,
        mut links: Links,
        director: Handle,
        network: watch::Sender<Network>,
    ) {
        loop {
            let found = match links.changed().await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "cannot hear of interfaces any more");
                    return;
                }
            };
            if self.catch_up(&found, &director).await.is_err() {
                return;
            }
            let now = self.network(&found);
            let told = director.set_network(now.clone()).await;
            if told.is_err() {
                return;
            }
            network.send_if_modified(|former| {
                let differs = *former != now;
                *former = now;
                differs
            });
        }
    }

    /// The interfaces that there are, and those that carry the program.
    pub(super) fn network(&self, links: &[Link]) -> Network {
        let interface = |link: &Link| Interface {
            name: link.name.clone(),
            mac: link.mac,
            mtu: link.mtu,
            kind: link.kind.clone(),
            under: link.vlan.zip(link.lower).and_then(|((ethertype, vlan), lower)| {
                let is_here = lower.place == Place::Here;
                is_here.then_some((lower.index, VlanTag { ethertype, vlan }))
            }),
            master: link.master.as_ref().map(|(index, _)| *index),
        };
        Network {
            interfaces: links.iter().map(|link| (link.index, interface(link))).collect(),
            carriers: self
                .carriers
                .values()
                .map(|&(index, hook)| (index, carrier(index, hook, links)))
                .collect(),
        }
    }

    /// Puts the program on those that are new, and notes which are gone.
    async fn catch_up(&mut self, links: &[Link], director: &Handle) -> Result<(), DirectorError> {
        for interface in self.wanted.clone() {
            let link = links.iter().find(|link| link.name == interface);
            let index = link.map(|link| link.index);
            let stands = link.is_some_and(|link| link.xdp != Attached::No);
            let carried = self.carriers.get(&interface).map(|(index, _)| *index);
            let is_settled = match carried {
                Some(_) => carried == index && stands,
                None => self.lost.get(&interface) == Some(&index),
            };
            if is_settled {
                continue;
            }
            self.carriers.remove(&interface);
            let why = match index {
                None => ABSENT.to_owned(),
                Some(_) => match self.attach(&interface, director).await {
                    Ok(true) => continue,
                    Ok(false) => ABSENT.to_owned(),
                    Err(error) => format!("{error:#}"),
                },
            };
            tracing::warn!(interface, %why, "does not carry the program");
            director.lose(interface.clone(), why).await?;
            self.lost.insert(interface, index);
        }
        Ok(())
    }

    /// Puts the program on an interface that has come; false if it has gone again.
    async fn attach(&mut self, interface: &str, director: &Handle) -> anyhow::Result<bool> {
        let Some(stand) = self.stand(interface).await? else { return Ok(false) };
        let attach = async |stand: &Stand| {
            director.attach(interface.to_owned(), stand.hook, stand.why.clone()).await
        };
        let stand = match (attach(&stand).await, self.fallback(&stand)) {
            (Ok(()), _) => stand,
            (Err(error), Some(fall_back)) => {
                let stand = fall_back(stand, &error);
                attach(&stand).await?;
                stand
            }
            (Err(error), None) => return Err(error.into()),
        };
        self.attached(interface, &stand);
        Ok(true)
    }

    async fn stand(&self, interface: &str) -> anyhow::Result<Option<Stand>> {
        let Some((facts, peer)) = look_at(interface).await? else { return Ok(None) };
        let (hook, why) = choose(self.mode, &facts, peer.as_ref());
        Ok(Some(Stand { hook, why, facts }))
    }

    /// What to do instead when the driver refuses the program; nothing if no other way is wanted.
    fn fallback(&self, stand: &Stand) -> Option<fn(Stand, &dyn Display) -> Stand> {
        let may = self.mode == Mode::Auto && stand.hook == Hook::Native;
        may.then_some(|stand, error| {
            let (_, why) = mode::refused(&stand.facts, &error);
            tracing::warn!(interface = stand.facts.link.name, %why, "generic instead of native");
            Stand { hook: Hook::Generic, why, ..stand }
        })
    }

    fn attached(&mut self, interface: &str, stand: &Stand) {
        let Stand { hook, why, facts } = stand;
        tracing::info!(interface, mode = hook.name(), %why, "attached");
        martians::accept(&Sysctl::default(), interface, &self.state_dir);
        self.carriers.insert(interface.to_owned(), (facts.link.index, *hook));
        self.lost.remove(interface);
    }
}

/// How an interface carries the program.
fn carrier(index: u32, hook: Hook, links: &[Link]) -> Carrier {
    // A veth takes frames back from its own program only if the peer has one as well; of a bond, it is the port
    // that the frame came in by that takes it back.
    let is_port = |link: &Link| link.master.as_ref().is_some_and(|(master, _)| *master == index);
    let mut takers = links.iter().filter(|link| link.index == index || is_port(link));
    let has_veth = takers.any(|link| link.kind.as_deref() == Some("veth"));
    Carrier { hook, reflects: hook == Hook::Generic || !has_veth }
}

/// What is to be known of an interface; none if it is not there.
async fn look_at(interface: &str) -> anyhow::Result<Option<(LinkFacts, Option<PeerFacts>)>> {
    let found = facts::gather(interface).await;
    let found = found.with_context(|| format!("cannot look at interface {interface}"))?;
    if let Some((facts, _)) = &found
        && let Some(bond) = &facts.bond
    {
        bail!("{interface} is a port of the bond {bond}: name {bond} instead");
    }
    Ok(found)
}

fn choose(wanted: Mode, facts: &LinkFacts, peer: Option<&PeerFacts>) -> (Hook, String) {
    match wanted {
        Mode::Native => (Hook::Native, "asked for".to_owned()),
        Mode::Generic => (Hook::Generic, "asked for".to_owned()),
        Mode::Auto => match mode::choose(facts, peer) {
            (mode::Mode::Native, why) => (Hook::Native, why),
            (mode::Mode::Generic, why) => (Hook::Generic, why),
        },
    }
}
