//! What the program knows of the host's interfaces.

#![forbid(unsafe_code)]

use std::{collections::BTreeMap, sync::Arc};

use aya::{
    Pod,
    maps::{HashMap, MapData},
};
use lvs_common::{
    map::{Below, HostMac, MAX_HOST_MACS, Tunables, name},
    net::Mac,
};

use super::{KernelError, mapped::Mapped, maps::map_error};
use crate::{model::Network, plan::compile};

/// The maps of interfaces.
pub(super) struct Interfaces {
    below: Kept<u32, Below>,
    macs: Kept<HostMac, u32>,
    tunables: Arc<Mapped>,
}

/// A map, and what stands in it.
struct Kept<K, V> {
    name: &'static str,
    map: HashMap<MapData, K, V>,
    known: BTreeMap<K, V>,
}

impl Interfaces {
    /// The maps as they are: a former controller's, perhaps.
    pub(super) fn new(
        below: HashMap<MapData, u32, Below>,
        macs: HashMap<MapData, HostMac, u32>,
        tunables: Arc<Mapped>,
    ) -> Self {
        let below = Kept::new(name::BELOW, below);
        Self { below, macs: Kept::new(name::HOST_MACS, macs), tunables }
    }

    /// Makes the maps what the network is.
    pub(super) fn set(&mut self, network: &Network) -> Result<(), KernelError> {
        let below = network.below();
        self.below.set(below.map(|(index, it)| (index, compile::below(&it))).collect())?;
        let macs = network.interfaces.values().filter_map(|it| it.mac);
        let macs: BTreeMap<_, _> = macs.map(|mac| (HostMac::new(Mac::new(mac)), 1)).collect();
        // A host with more of them gets frames for others directed rather than its own not.
        let fits = !macs.is_empty() && macs.len() <= MAX_HOST_MACS;
        if !fits {
            self.say(false);
            return Ok(());
        }
        self.macs.set(macs)?;
        self.say(true);
        Ok(())
    }

    fn say(&self, knows: bool) {
        self.tunables.edit(0, |it: &mut Tunables| it.knows_macs = knows.into());
    }
}

impl<K: Pod + Ord, V: Pod + PartialEq> Kept<K, V> {
    fn new(name: &'static str, map: HashMap<MapData, K, V>) -> Self {
        let known = map.iter().flatten().collect();
        Self { name, map, known }
    }

    /// Makes it this: what is new comes before what is old goes.
    fn set(&mut self, wanted: BTreeMap<K, V>) -> Result<(), KernelError> {
        for (key, value) in &wanted {
            if self.known.get(key) != Some(value) {
                let written = self.map.insert(key, value, 0);
                written.map_err(|error| map_error("write", self.name, error))?;
            }
        }
        for key in self.known.keys().filter(|key| !wanted.contains_key(key)) {
            let removed = self.map.remove(key);
            removed.map_err(|error| map_error("remove from", self.name, error))?;
        }
        self.known = wanted;
        Ok(())
    }
}
