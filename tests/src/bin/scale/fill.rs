//! Connections, put into the mapped table beside those that the program has made.

use std::{
    net::Ipv4Addr,
    ops::Range,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use aya::maps::MapData;
use lvs_common::{
    ABI_VERSION,
    conntable::{
        Entry, Insert, Key, New, hashes, insert,
        shared::{BUCKET, View},
        word,
    },
    map::{Load, MAX_DESTS, Tunables, name},
    net::{Be16, Be32},
    tcp_state::State,
};
use lvs_ctl::dataplane::kernel::mapped::Mapped;

/// Ports of each client.
const PORTS: u32 = 50_000;
/// How long they are to last.
const LIFETIME_S: u32 = 86_400;

/// A director's connection table and what goes with it.
pub struct Table {
    conns: Mapped,
    loads: Mapped,
    tunables: Tunables,
    /// One that the program has made.
    model: Entry,
    peer: u64,
}

impl Table {
    /// Of the director whose pins are there, which has a connection.
    pub fn of(pin_dir: &Path) -> Result<Self> {
        let pins = pin_dir.join(format!("v{ABI_VERSION}"));
        let tunables = map(&pins.join(name::TUNABLES), size_of::<Tunables>() / 8)?.read(0);
        let conns = pins.join(name::CONNS);
        let buckets = MapData::from_pin(&conns)?.info()?.max_entries();
        let conns = map(&conns, buckets as usize * BUCKET)?;
        let loads = map(&pins.join(name::LOADS), MAX_DESTS * Load::WORDS)?;
        let hit = View::new(conns.words()).hits().next().context("there is no connection")?;
        let (model, peer) = (hit.entry, hit.peer().context("it has just ended")?);
        Ok(Self { conns, loads, tunables, model, peer })
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.conns.words())
    }

    /// Inserts connections of these numbers: how long that took.
    pub fn fill(&self, numbers: Range<u32>) -> Result<Duration> {
        let begun = Instant::now();
        let view = View::new(self.conns.words());
        let lifetime = LIFETIME_S * self.tunables.ticks_per_second;
        let now = self.model.expires();
        for number in numbers {
            let address = Ipv4Addr::from_bits((10 << 24) + number / PORTS);
            let port = Be16::new(u16::try_from(1024 + number % PORTS)?);
            let (virtual_address, virtual_port) = self.model.virtual_end();
            let client = Be32::from_bytes(address.octets());
            let key = Key::new(self.model.protocol(), client, port, virtual_address, virtual_port);
            let new = New {
                key,
                dest: self.model.dest(),
                method: self.model.method(),
                keeps_port: self.model.keeps_port(),
                state: State::UDP,
                peer: self.peer,
                // Nothing is to be taken for over.
                now: now.wrapping_sub(lifetime),
                expires: now.wrapping_add(lifetime),
            };
            let hashes = hashes(key.client & word::CLIENT, self.tunables.seed);
            match insert(&view, hashes, new).what {
                Insert::New(_) => self.count(),
                Insert::Exists(_) => bail!("connection {number} is there already"),
                Insert::Racing => bail!("connection {number}: the program took its place"),
                Insert::Full => bail!("no place for connection {number}"),
            }
        }
        Ok(begun.elapsed())
    }

    /// As the program does (`ip_vs_bind_dest`).
    fn count(&self) {
        let first = self.model.dest() as usize * Load::WORDS;
        let words = self.loads.words().get(first..first + Load::WORDS).unwrap_or_default();
        for (place, word) in words.iter().enumerate() {
            if place == Load::TOTAL || place == Load::ACTIVE {
                word.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn map(path: &PathBuf, words: usize) -> Result<Mapped> {
    let map = MapData::from_pin(path).with_context(|| format!("opening {}", path.display()))?;
    Mapped::new(map.fd(), words).with_context(|| format!("mapping {}", path.display()))
}
