//! The program at a real server's end of tunnels: attached to interfaces, told its VIPs, detached.
//!
//! Below the pin directory stands one directory an interface: the maps, and what keeps the program
//! there. From Linux 6.6 on that is a link (tcx); before, a filter of the interface's clsact, which
//! stays by itself, and a pin of the program that tells of it.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{IpAddr, Ipv6Addr},
    path::{Path, PathBuf},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap, Map, MapData, PerCpuArray},
    programs::{
        ProgramError, SchedClassifier, TcAttachType,
        links::{FdLink, PinnedLink},
        tc::{self, SchedClassifierLink, TcError},
    },
    util::KernelVersion,
};
use lvs_common::{
    decap::{COUNTS, Count, VIPS},
    net::Addr,
};

use super::{
    KernelError,
    pins::{self, Pins},
    programs::verified,
};

/// The object, built with the controller.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lvs-decap"));

/// The program in it.
const PROGRAM: &str = "lvs_decap";
/// The pin of its link.
const LINK: &str = "link";
/// The pin that tells of a filter without a link.
const FILTER: &str = "filter";

/// VIPs, and the UDP port that gue comes to for each.
pub type Vips = BTreeMap<IpAddr, u16>;

/// All interfaces' ends of tunnels.
#[derive(Clone, Debug)]
pub struct Decap {
    root: PathBuf,
}

/// One interface's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The interface.
    pub interface: String,
    /// Whose packets are taken out.
    pub vips: Vips,
    /// Packets so far.
    pub counts: [(Count, u64); Count::ALL.len()],
}

impl Decap {
    /// Those below a directory on a bpffs, which is made when it is needed.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Puts the program on an interface, or in the place of a former one, and adds VIPs to its own.
    ///
    /// # Errors
    /// The interface is as it was then.
    pub fn attach(&self, interface: &str, vips: &Vips) -> Result<(), KernelError> {
        Pins::is_place(&self.root)?;
        let directory = self.directory(interface);
        let is_new = !directory.exists();
        fs::create_dir_all(&directory)
            .map_err(|source| KernelError::file("make", &directory, source))?;
        let done = attach(interface, &directory, vips);
        if done.is_err() && is_new {
            // The failure is what is told.
            remove(&directory).ok();
        }
        done
    }

    /// Takes the program off an interface; false if it is not there.
    ///
    /// # Errors
    /// A pin cannot be removed.
    pub fn detach(&self, interface: &str) -> Result<bool, KernelError> {
        let directory = self.directory(interface);
        if !directory.exists() {
            return Ok(false);
        }
        if directory.join(FILTER).exists() {
            unfilter(interface)?;
        }
        remove(&directory)?;
        // The last one's.
        fs::remove_dir(&self.root).ok();
        Ok(true)
    }

    /// What stands on which interface.
    ///
    /// # Errors
    /// A pin is no map of this program's.
    pub fn ends(&self) -> Result<Vec<End>, KernelError> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| KernelError::file("read", &self.root, source))?,
        };
        let mut ends = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| KernelError::file("read", &self.root, source))?;
            let interface = pins::as_interface(&entry.file_name().to_string_lossy());
            let (vips, counts) = (vips(&entry.path())?, counts(&entry.path())?);
            ends.push(End { interface, vips, counts });
        }
        ends.sort_unstable_by(|a, b| a.interface.cmp(&b.interface));
        Ok(ends)
    }

    fn directory(&self, interface: &str) -> PathBuf {
        self.root.join(pins::as_file(interface))
    }
}

fn attach(interface: &str, directory: &Path, added: &Vips) -> Result<(), KernelError> {
    let mut loader = EbpfLoader::new();
    for map in [VIPS, COUNTS] {
        loader.map_pin_path(map, directory.join(map));
    }
    let mut ebpf = loader.load(OBJECT).map_err(|error| KernelError::load(&error))?;
    let program = classifier(&mut ebpf)?;
    verified(|| program.load())?;
    // Its VIPs first: no packet is to meet a program that does not know them.
    let mut map = vips_map(directory)?;
    for (vip, port) in added {
        let key = bytemuck::cast::<Addr, [u8; 16]>((*vip).into());
        map.insert(key, u64::from(*port), 0)
            .map_err(|error| KernelError::call("write", VIPS, io::Error::other(error)))?;
    }
    let link = directory.join(LINK);
    if link.exists() {
        if replace(&link, program) {
            return Ok(());
        }
        // Dead with the interface that it was on.
        fs::remove_file(&link).map_err(|source| KernelError::file("remove", &link, source))?;
    }
    if KernelVersion::current().is_ok_and(|kernel| kernel >= KernelVersion::new(6, 6, 0)) {
        hold_by_link(interface, program, &link)
    } else {
        hold_by_filter(interface, program, &directory.join(FILTER))
    }
}

fn hold_by_link(
    interface: &str,
    program: &mut SchedClassifier,
    path: &Path,
) -> Result<(), KernelError> {
    let refused = |error: ProgramError| KernelError::ingress(interface, &error);
    let id = program.attach(interface, TcAttachType::Ingress).map_err(refused)?;
    let link = program.take_link(id).map_err(refused)?;
    let failed = |error| KernelError::call("link", interface, io::Error::other(error));
    let link = FdLink::try_from(link).map_err(failed)?;
    let pinned = link.pin(path);
    pinned.map(drop).map_err(|error| KernelError::call("pin", interface, io::Error::other(error)))
}

/// A former filter goes first: between the two a packet may pass as it is.
fn hold_by_filter(
    interface: &str,
    program: &mut SchedClassifier,
    path: &Path,
) -> Result<(), KernelError> {
    let failed = |error| KernelError::call("clsact", interface, io::Error::other(error));
    match tc::qdisc_add_clsact(interface) {
        Ok(()) | Err(TcError::AlreadyAttached) => {}
        Err(error) => return Err(failed(error)),
    }
    if path.exists() {
        unfilter(interface)?;
        fs::remove_file(path).map_err(|source| KernelError::file("remove", path, source))?;
    }
    let refused = |error: ProgramError| KernelError::ingress(interface, &error);
    let id = program.attach(interface, TcAttachType::Ingress).map_err(refused)?;
    // Dropped, it would take the filter away.
    std::mem::forget(program.take_link(id).map_err(refused)?);
    program.pin(path).map_err(|error| KernelError::call("pin", interface, io::Error::other(error)))
}

/// Takes the filter off; an interface that has gone took it along.
fn unfilter(interface: &str) -> Result<(), KernelError> {
    match tc::qdisc_detach_program(interface, TcAttachType::Ingress, PROGRAM) {
        Err(TcError::IoError(error)) if is_gone(&error) => Ok(()),
        Err(error) => Err(KernelError::call("detach", interface, io::Error::other(error))),
        Ok(()) => Ok(()),
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

/// Puts the program in the place of the one on a pinned link; false if the link is dead.
fn replace(path: &Path, program: &mut SchedClassifier) -> bool {
    let Ok(pinned) = PinnedLink::from_pin(path) else { return false };
    let Ok(link) = SchedClassifierLink::try_from(FdLink::from(pinned)) else { return false };
    program.attach_to_link(link).is_ok()
}

fn classifier(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier, KernelError> {
    let program = ebpf.program_mut(PROGRAM).ok_or(KernelError::Missing(PROGRAM))?;
    program.try_into().map_err(|error| KernelError::program(&error))
}

/// Removes an interface's pins: a link's program leaves it.
fn remove(directory: &Path) -> Result<(), KernelError> {
    for pin in [LINK, FILTER, VIPS, COUNTS] {
        let path = directory.join(pin);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(KernelError::file("remove", &path, error));
            }
            _ => {}
        }
    }
    fs::remove_dir(directory).map_err(|source| KernelError::file("remove", directory, source))
}

fn vips_map(directory: &Path) -> Result<HashMap<MapData, [u8; 16], u64>, KernelError> {
    let path = directory.join(VIPS);
    let map = MapData::from_pin(&path).map_err(|error| KernelError::foreign(&path, error))?;
    HashMap::try_from(Map::HashMap(map)).map_err(|error| KernelError::foreign(&path, error))
}

fn vips(directory: &Path) -> Result<Vips, KernelError> {
    let entries = vips_map(directory)?;
    let failed = |error| KernelError::call("read", VIPS, io::Error::other(error));
    let read = entries.iter().map(|entry| {
        let (key, port) = entry.map_err(failed)?;
        let vip = Ipv6Addr::from(key).to_canonical();
        Ok((vip, u16::try_from(port).unwrap_or_default()))
    });
    read.collect()
}

fn counts(directory: &Path) -> Result<[(Count, u64); Count::ALL.len()], KernelError> {
    let path = directory.join(COUNTS);
    let map = MapData::from_pin(&path).map_err(|error| KernelError::foreign(&path, error))?;
    let map: PerCpuArray<_, u64> = PerCpuArray::try_from(Map::PerCpuArray(map))
        .map_err(|error| KernelError::foreign(&path, error))?;
    let mut counts = Count::ALL.map(|count| (count, 0));
    for (count, packets) in &mut counts {
        let values = map
            .get(&(*count as u32), 0)
            .map_err(|error| KernelError::call("read", COUNTS, io::Error::other(error)))?;
        *packets = values.iter().sum();
    }
    Ok(counts)
}
