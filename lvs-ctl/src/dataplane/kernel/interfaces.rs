//! What the program knows of the host's interfaces.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use aya::maps::{HashMap, MapData};
use lvs_common::map::{Below, name};

use super::{KernelError, maps::map_error};
use crate::{model::Network, plan::compile};

/// The map, and what stands in it.
pub(super) struct Interfaces {
    map: HashMap<MapData, u32, Below>,
    known: BTreeMap<u32, Below>,
}

impl Interfaces {
    /// The map as it is: a former controller's, perhaps.
    pub(super) fn new(map: HashMap<MapData, u32, Below>) -> Self {
        let known = map.iter().flatten().collect();
        Self { map, known }
    }

    /// Makes the map what the network is.
    pub(super) fn set(&mut self, network: &Network) -> Result<(), KernelError> {
        let below = network.below();
        let wanted: BTreeMap<u32, Below> =
            below.map(|(index, leaving)| (index, compile::below(&leaving))).collect();
        for (index, below) in &wanted {
            if self.known.get(index) != Some(below) {
                let written = self.map.insert(index, below, 0);
                written.map_err(|error| map_error("write", name::BELOW, error))?;
                self.known.insert(*index, *below);
            }
        }
        let gone: Vec<u32> =
            self.known.keys().copied().filter(|index| !wanted.contains_key(index)).collect();
        for index in gone {
            let removed = self.map.remove(&index);
            removed.map_err(|error| map_error("remove from", name::BELOW, error))?;
            self.known.remove(&index);
        }
        Ok(())
    }
}
