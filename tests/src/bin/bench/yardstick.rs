//! The minimal program over a table of flows.

use anyhow::{Context as _, Result};
use aya::{Ebpf, EbpfLoader, maps::Array, programs::Xdp};

use crate::{
    feeder::{Feed, Feeder, Order, xdp},
    world::{CLIENT_SIDE, ROUTER},
};

/// Real servers that flows are spread over.
const REAL_SERVERS: u32 = 16;

/// The yardstick.
pub struct Yardstick(Ebpf);

impl Yardstick {
    /// Loads it, and fills its table with the flows of the feed. It has two places a flow and more.
    pub fn new(object: &[u8], feed: &Feed) -> Result<Self> {
        let buckets = feed.flows.next_power_of_two().max(2048);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("TABLE", buckets)
            .override_global("MASK", &(buckets - 1), true)
            .load(object)?;
        let hops = ebpf.map_mut("HOPS").context("no HOPS")?;
        let mut hops = Array::<_, [u64; 4]>::try_from(hops)?;
        for real in 0..REAL_SERVERS {
            hops.set(real, [word(ROUTER), word(CLIENT_SIDE), 0, 0], 0)?;
        }
        let fill = xdp(&mut ebpf, "yardstick_fill")?;
        fill.load()?;
        let in_turn = Feed { order: Order::Turn, ..*feed };
        Feeder::new(object, &in_turn, Some(fill.fd()?))?.run(feed.flows)?;
        xdp(&mut ebpf, "yardstick")?.load()?;
        Ok(Self(ebpf))
    }

    /// Its program.
    pub fn program(&self) -> Result<&Xdp> {
        Ok(self.0.program("yardstick").context("no yardstick")?.try_into()?)
    }
}

fn word(address: [u8; 6]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..address.len()].copy_from_slice(&address);
    u64::from_le_bytes(bytes)
}
