//! What is pinned, where, and whether it is ours to adopt.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aya::maps::{MapInfo, MapType};
use lvs_common::{
    ABI_VERSION,
    conntable::{ends, shared::BUCKET},
    map::{
        Addresses, Below, Called, Counters, Datagram, DatagramKey, Dest, HostMac, Load,
        MARK_PLACES, MAX_BELOW, MAX_BUCKETS, MAX_DATAGRAMS, MAX_DESTS, MAX_HOST_MACS,
        MAX_NEXT_HOPS, MAX_PATHS, MAX_POOL_ENTRIES, MAX_REMEMBERED, MAX_SERVICES, MarkRule,
        NextHop, PathMtu, PoolEntry, ProbeFlow, ProbeKey, Probed, ProbedEnd, Service, ServiceKey,
        Tunables,
        early::{EARLY_BYTES, FIRSTS_BYTES},
        name,
        probe::{MAX_PROBED, MAX_PROBES},
        rest,
    },
    sched::Remembered,
    verdict::Reason,
};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::{KernelError, attach::Hook};

/// A map as this version makes it.
pub(super) struct Shape {
    pub(super) name: &'static str,
    kind: MapType,
    key: usize,
    /// `None`: only the program knows.
    value: Option<usize>,
    /// `None`: set when the map is made.
    places: Option<usize>,
}

/// Every map that outlives the controller.
pub(super) const SHAPES: [Shape; 27] = [
    array(name::TUNABLES, size_of::<Tunables>(), Some(1)),
    array(name::ADDRESSES, size_of::<Addresses>(), Some(1)),
    array(name::CONNS, BUCKET * size_of::<u64>(), None),
    array(name::CONNS6, ends::BUCKET * size_of::<u64>(), None),
    array(name::POOLS, size_of::<PoolEntry>() * MAX_POOL_ENTRIES, Some(1)),
    array(name::TABLES, size_of::<u16>() * MAX_BUCKETS, Some(1)),
    array(name::DESTS, size_of::<Dest>() * MAX_DESTS, Some(1)),
    array(name::NEXT_HOPS, size_of::<NextHop>() * MAX_NEXT_HOPS, Some(1)),
    array(name::MARKS, size_of::<MarkRule>() * MARK_PLACES, Some(1)),
    array(name::LOADS, size_of::<Load>() * MAX_DESTS, Some(1)),
    array(name::CURSORS, size_of::<u64>() * MAX_SERVICES, Some(1)),
    per_cpu(name::COUNTERS, size_of::<Counters>(), MAX_DESTS),
    per_cpu(name::REASONS, size_of::<u64>(), Reason::CAPACITY),
    Shape {
        name: name::SERVICES,
        kind: MapType::Hash,
        key: size_of::<ServiceKey>(),
        value: Some(size_of::<Service>()),
        places: Some(MAX_SERVICES),
    },
    Shape {
        name: name::BELOW,
        kind: MapType::Hash,
        key: size_of::<u32>(),
        value: Some(size_of::<Below>()),
        places: Some(MAX_BELOW),
    },
    Shape {
        name: name::HOST_MACS,
        kind: MapType::Hash,
        key: size_of::<HostMac>(),
        value: Some(size_of::<u32>()),
        places: Some(MAX_HOST_MACS),
    },
    Shape {
        name: name::REMEMBERED,
        kind: MapType::Hash,
        key: size_of::<Called>(),
        value: Some(size_of::<Remembered>()),
        places: Some(MAX_REMEMBERED),
    },
    Shape {
        name: name::FRAGMENTS,
        kind: MapType::LruHash,
        key: size_of::<DatagramKey>(),
        value: Some(size_of::<Datagram>()),
        places: Some(MAX_DATAGRAMS),
    },
    ring(name::EARLY, EARLY_BYTES),
    ring(name::FIRSTS, FIRSTS_BYTES),
    array(name::HOLDS, size_of::<u64>(), Some(1)),
    // Pinned because programs that were verified one after the other share it.
    array(name::PATHS, size_of::<PathMtu>() * MAX_PATHS, Some(1)),
    Shape {
        name: name::PROBES,
        kind: MapType::LruHash,
        key: size_of::<ProbeKey>(),
        value: Some(size_of::<ProbeFlow>()),
        places: Some(MAX_PROBES),
    },
    Shape {
        name: name::PROBED,
        kind: MapType::Hash,
        key: size_of::<ProbedEnd>(),
        value: Some(size_of::<Probed>()),
        places: Some(MAX_PROBED),
    },
    Shape {
        name: name::REST,
        kind: MapType::ProgramArray,
        key: size_of::<u32>(),
        value: Some(size_of::<u32>()),
        places: Some(rest::PLACES),
    },
    Shape {
        name: name::SCRATCH,
        kind: MapType::PerCpuArray,
        key: size_of::<u32>(),
        value: None,
        places: Some(1),
    },
    Shape {
        name: name::SCRATCH6,
        kind: MapType::PerCpuArray,
        key: size_of::<u32>(),
        value: None,
        places: Some(1),
    },
];

const fn array(name: &'static str, value: usize, places: Option<usize>) -> Shape {
    Shape { name, kind: MapType::Array, key: size_of::<u32>(), value: Some(value), places }
}

const fn ring(name: &'static str, bytes: usize) -> Shape {
    Shape { name, kind: MapType::RingBuf, key: 0, value: Some(0), places: Some(bytes) }
}

const fn per_cpu(name: &'static str, value: usize, places: usize) -> Shape {
    Shape {
        name,
        kind: MapType::PerCpuArray,
        key: size_of::<u32>(),
        value: Some(value),
        places: Some(places),
    }
}

/// What the name of a link's pin begins with.
const fn prefix(hook: Hook) -> &'static str {
    match hook {
        Hook::Native => "link-native-",
        Hook::Generic => "link-generic-",
    }
}

/// What the name of a program's pin begins with.
const fn of_programs(hook: Hook) -> &'static str {
    match hook {
        Hook::Native => "program-native-",
        Hook::Generic => "program-generic-",
    }
}

/// The directory of one director's pins; within it, one a layout version.
#[derive(Clone, Debug)]
pub(super) struct Pins {
    root: PathBuf,
    version: PathBuf,
}

impl Pins {
    /// Makes the directories, below a mounted bpffs.
    pub(super) fn open(root: &Path) -> Result<Self, KernelError> {
        Self::is_place(root)?;
        let pins = Self::at(root);
        fs::create_dir_all(&pins.version)
            .map_err(|source| KernelError::file("make", &pins.version, source))?;
        Ok(pins)
    }

    /// Whether the directory is on a bpffs, or would be if it were made.
    pub(super) fn is_place(root: &Path) -> Result<(), KernelError> {
        let existing = root.ancestors().find(|path| path.exists()).unwrap_or(root);
        let kind = statfs(existing)
            .map_err(|errno| KernelError::file("look at", existing, errno.into()))?
            .filesystem_type();
        let fits = kind == BPF_FS_MAGIC;
        if fits { Ok(()) } else { Err(KernelError::NotBpffs { path: root.to_owned() }) }
    }

    /// The same without making anything.
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), version: root.join(format!("v{ABI_VERSION}")) }
    }

    /// Where a map is pinned.
    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.version.join(name)
    }

    /// Where an interface's link is pinned.
    pub(super) fn link(&self, hook: Hook, interface: &str) -> PathBuf {
        self.version.join(format!("{}{}", prefix(hook), as_file(interface)))
    }

    /// Where a program of a hook is pinned.
    pub(super) fn program(&self, hook: Hook, edition: &str, name: &str) -> PathBuf {
        self.version.join(format!("{}{edition}-{name}", of_programs(hook)))
    }

    /// The pinned programs of a hook.
    pub(super) fn programs(&self, hook: Hook) -> Result<Vec<PathBuf>, KernelError> {
        let names = self.names()?.into_iter();
        let names = names.filter(|name| name.starts_with(of_programs(hook)));
        Ok(names.map(|name| self.version.join(name)).collect())
    }

    /// Interfaces whose links are pinned, and on which hook.
    pub(super) fn links(&self) -> Result<Vec<(Hook, String)>, KernelError> {
        let mut links = Vec::new();
        for name in self.names()? {
            for hook in [Hook::Native, Hook::Generic] {
                links
                    .extend(name.strip_prefix(prefix(hook)).map(|name| (hook, as_interface(name))));
            }
        }
        Ok(links)
    }

    /// Buckets of the pinned connection tables, IPv4's and IPv6's, after every pinned map was found to be of this
    /// version's shape; `None` if nothing is pinned.
    pub(super) fn inspect(&self) -> Result<Option<[u32; 2]>, KernelError> {
        let mut buckets = [0; 2];
        let mut found = 0;
        for shape in &SHAPES {
            let path = self.map(shape.name);
            if !path.exists() {
                continue;
            }
            found += 1;
            let info =
                MapInfo::from_pin(&path).map_err(|error| KernelError::foreign(&path, error))?;
            let places = shape.places.and_then(|places| u32::try_from(places).ok());
            let fits = info.map_type().ok() == Some(shape.kind)
                && info.key_size() as usize == shape.key
                && shape.value.is_none_or(|value| value == info.value_size() as usize)
                && places.is_none_or(|places| places == info.max_entries());
            if !fits {
                return Err(KernelError::foreign(&path, "it has another shape"));
            }
            match shape.name {
                name::CONNS => buckets[0] = info.max_entries(),
                name::CONNS6 => buckets[1] = info.max_entries(),
                _ => {}
            }
        }
        match found {
            0 => Ok(None),
            found if found == SHAPES.len() => Ok(Some(buckets)),
            _ => Err(KernelError::foreign(&self.version, "some of the maps are missing")),
        }
    }

    fn names(&self) -> Result<Vec<String>, KernelError> {
        let failed = |source| KernelError::file("read", &self.version, source);
        let entries = fs::read_dir(&self.version).map_err(failed)?;
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.map(|entry| entry.map(name).map_err(failed)).collect()
    }

    /// Removes every pin, of other versions too: programs leave their interfaces, maps are freed.
    pub(super) fn remove(&self) -> Result<(), KernelError> {
        let failed = |source| KernelError::file("remove", &self.root, source);
        match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
            Ok(versions) => {
                for version in versions {
                    let version = version.map_err(failed)?.path();
                    // bpffs has no recursive removal of directories that hold pins.
                    for pin in fs::read_dir(&version).map_err(failed)? {
                        fs::remove_file(pin.map_err(failed)?.path()).map_err(failed)?;
                    }
                    fs::remove_dir(&version).map_err(failed)?;
                }
            }
        }
        fs::remove_dir(&self.root).map_err(failed)
    }
}

/// An interface's name as a file's: bpffs takes no dot (`bpf_lookup`), and no interface's name has a colon
/// (`dev_valid_name`).
pub(super) fn as_file(interface: &str) -> String {
    interface.replace('.', ":")
}

/// The interface of such a file.
pub(super) fn as_interface(file: &str) -> String {
    file.replace(':', ".")
}
