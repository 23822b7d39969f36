//! One address to its resolution: the route, then the link, then the neighbour.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    NextHop, Resolution, Why,
    link::{self, Link},
    neighbour::{self, Answer, Entry, Key, Upkeep},
    route::{self, Out, Route},
    socket::Requests,
};

/// Looks addresses up, and has the kernel keep the neighbours on the way to them.
pub(super) struct Lookup {
    requests: Requests,
    upkeep: Upkeep,
    /// The neighbours on a way that do not stand by themselves.
    kept: BTreeSet<Key>,
    /// The links seen since [`Lookup::refresh`].
    links: BTreeMap<u32, Option<Link>>,
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The neighbour that the way leads over, or led when there last was one.
    pub(super) hop: Option<Key>,
    /// The answer; none while the neighbour has yet to answer, so that what was known stands.
    pub(super) resolution: Option<Resolution>,
}

impl Lookup {
    pub(super) fn open(upkeep: Upkeep) -> io::Result<Self> {
        let requests = Requests::open(NETLINK_ROUTE)?;
        Ok(Self { requests, upkeep, kept: BTreeSet::new(), links: BTreeMap::new() })
    }

    pub(super) const fn upkeep(&self) -> Upkeep {
        self.upkeep
    }

    /// Takes over the neighbours that a controller before this one asked for.
    pub(super) async fn adopt(&mut self) {
        match neighbour::ours(&mut self.requests).await {
            Ok(keys) => self.kept.extend(keys),
            Err(error) => tracing::warn!(%error, "cannot read the neighbours kept before"),
        }
    }

    /// Forgets what may have changed: call it before the look-ups that belong together.
    pub(super) fn refresh(&mut self) {
        self.links.clear();
    }

    /// Asks for every kept neighbour again, where the kernel does not do it.
    pub(super) async fn probe(&mut self) {
        for &key in &self.kept {
            // A neighbour that cannot be asked for is reported by its look-up.
            neighbour::ask(&mut self.requests, key, Upkeep::Probed).await.ok();
        }
    }

    /// Lets go of every kept neighbour but those still on a way.
    pub(super) async fn keep_only(&mut self, on_a_way: &BTreeSet<Key>) {
        let released: Vec<Key> = self.kept.difference(on_a_way).copied().collect();
        for key in released {
            self.kept.remove(&key);
            if let Err(error) = neighbour::release(&mut self.requests, key).await {
                tracing::warn!(neighbour = %key.address, %error, "cannot release a neighbour");
            }
        }
    }

    /// Looks `address` up; `last` is the neighbour that the way to it led over before.
    pub(super) async fn find(&mut self, address: IpAddr, last: Option<Key>) -> Found {
        let found = |resolution| Found { hop: last, resolution: Some(resolution) };
        match route::get(&mut self.requests, address).await {
            Route::Local => Found { hop: None, ..found(Resolution::Local) },
            Route::None(Why::NoRoute) => found(Resolution::Unresolved(self.lost(last).await)),
            Route::None(why) => found(Resolution::Unresolved(why)),
            Route::Out(out) => {
                let hop = Key { interface: out.interface, address: out.gateway.unwrap_or(address) };
                let resolution = match self.next_hop(&out, hop).await {
                    Ok(next_hop) => next_hop.map(Resolution::Resolved),
                    Err(why) => Some(Resolution::Unresolved(why)),
                };
                Found { hop: Some(hop), resolution }
            }
        }
    }

    /// Why there is no route any more: the kernel takes a downed interface's routes with it.
    async fn lost(&mut self, last: Option<Key>) -> Why {
        let Some(last) = last else { return Why::NoRoute };
        match self.link(last.interface).await {
            Ok(Some(link)) if !link.up => Why::InterfaceDown { interface: link.name },
            _ => Why::NoRoute,
        }
    }

    async fn next_hop(&mut self, out: &Out, hop: Key) -> Result<Option<NextHop>, Why> {
        let link = self.link(out.interface).await.map_err(refused("the interface"))?;
        let link = link.ok_or(Why::NoRoute)?; // gone since the route was read
        if !link.up {
            return Err(Why::InterfaceDown { interface: link.name });
        }
        let Some(src_mac) = link.mac else {
            return Err(Why::NotEthernet { interface: link.name });
        };
        if !link.carrier {
            return Err(Why::NoCarrier { interface: link.name });
        }
        let dst_mac = match self.answer(hop).await.map_err(refused("the neighbour"))? {
            Answer::Mac(mac) => mac,
            Answer::Pending => return Ok(None),
            Answer::Silent => {
                return Err(Why::NoNeighbour { neighbour: hop.address, interface: link.name });
            }
        };
        Ok(Some(NextHop {
            interface: link.index,
            source: out.source.unwrap_or(unspecified(hop.address)),
            gateway: out.gateway,
            src_mac,
            dst_mac,
            mtu: out.mtu.map_or(link.mtu, |mtu| mtu.min(link.mtu)),
            interface_name: link.name,
        }))
    }

    async fn link(&mut self, index: u32) -> io::Result<Option<Link>> {
        if let Some(known) = self.links.get(&index) {
            return Ok(known.clone());
        }
        let link = link::get_by_index(&mut self.requests, index).await?;
        self.links.insert(index, link.clone());
        Ok(link)
    }

    /// What the neighbour's entry says, after making sure that somebody keeps it.
    async fn answer(&mut self, key: Key) -> io::Result<Answer> {
        let mut entry = neighbour::get(&mut self.requests, key).await?;
        if entry.as_ref().is_some_and(Entry::stands_alone) {
            self.kept.remove(&key);
        } else {
            self.kept.insert(key);
        }
        if entry.as_ref().is_none_or(|entry| entry.wants_asking(self.upkeep)) {
            neighbour::ask(&mut self.requests, key, self.upkeep).await?;
            entry = neighbour::get(&mut self.requests, key).await?;
            self.note_refusal(entry.as_ref());
        }
        // Gone again already: its removal is announced, and looked into then.
        Ok(entry.map_or(Answer::Pending, |entry| entry.answer()))
    }

    fn note_refusal(&mut self, asked: Option<&Entry>) {
        if self.upkeep == Upkeep::Managed && asked.is_some_and(Entry::was_refused) {
            tracing::info!("the kernel keeps no neighbours (5.16 does): probing them from here");
            self.upkeep = Upkeep::Probed;
        }
    }
}

fn refused(asked: &'static str) -> impl FnOnce(io::Error) -> Why {
    move |error| Why::Refused { asked, error: error.to_string() }
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
