//! The data plane in the kernel: the XDP program, its maps and its links, by aya.
//!
//! | file | idea |
//! |---|---|
//! | [`load`] | the program over new maps, or over those that another controller left |
//! | `pins` | where things are pinned, and whether they are of this version |
//! | [`attach`] | the program on interfaces |
//! | `maps` | the plan's operations, written; what stands there, read |
//! | `interfaces` | what lies below VLANs' interfaces |
//! | `mapped` | a map's memory |
//! | `conntable` | the sweeper over the connection tables |
//! | `family` | one family's connection table, mapped |
//! | `listing` | the connection tables, shown |
//! | `templates` | templates whose time is over |
//! | `memory` | the collector of what lblc and lblcr remember |
//! | `sweeps` | what the sweeper has done |
//! | `signs` | what it has seen of real servers that may have gone |
//! | `clock` | the program's clock, told from here |
//! | `settings` | timeouts, tunables, rules that mark packets |
//! | `time` | what time it is on it |
//! | [`decap`] | the program of real servers |
//! | [`probing`] | health checks, and what became of them |
//! | [`early`] | fragments that come before the first |
//! | `run` | a program run with a frame |
//! | `programs` | those of the object: verified, or taken over from a former controller |
//! | `whole` | a first start, and what comes a moment later |
//! | `program` | the program itself, to be run by hand |

pub mod attach;
mod clock;
mod conntable;
pub mod decap;
pub mod early;
mod error;
mod family;
mod interfaces;
mod listing;
pub mod load;
pub mod mapped;
mod maps;
mod memory;
mod pins;
pub mod probing;
mod program;
mod programs;
mod run;
mod settings;
mod signs;
mod sweeps;
mod templates;
mod time;
mod whole;

use std::{collections::BTreeSet, net::IpAddr, path::Path, sync::Arc, time::Instant};

use aya::Ebpf;
use lvs_common::map::MAX_REMEMBERED;
use tokio::sync::watch;

use self::{
    attach::Links,
    conntable::ConnTable,
    listing::Lister,
    load::{Common, Loaded, Options},
    mapped::Mapped,
    maps::Maps,
    pins::Pins,
    signs::Tally,
};
use super::{Connections, DataPlane, DataPlaneError};
use crate::{
    model::{
        Change, Counters, DestAddr, Hook, InterfaceStatus, Invalid, Load, MarkRule, Network,
        PlaneStatus, ReasonCount, ServiceId, Signs, Table, TableStatus, Timeouts, Tunables, Way,
    },
    plan::{Op, Planner, compile},
};

pub use conntable::Swept;
pub use error::KernelError;
pub use time::Time;
pub use whole::Whole;

/// The data plane of one director.
pub struct Kernel {
    maps: Maps,
    planner: Planner,
    links: Links,
    ebpf: Ebpf,
    whole: Whole,
    pins: Pins,
    common: Common,
    tunables: Arc<Mapped>,
    time: Time,
    sweeps: sweeps::Log,
    adopted: bool,
    /// Why there are no health checks through services.
    no_probing: Option<String>,
}

/// Ends connections when their time is over. Runs beside the director, on a thread of its own.
pub struct Sweeper {
    conns: ConnTable,
    time: Time,
    sweeps: sweeps::Log,
    signs: Option<watch::Sender<Arc<Signs>>>,
}

impl Kernel {
    /// As [`Self::new`]; what connections of IPv4 do not need may be still to come: see [`Whole`].
    ///
    /// # Errors
    /// As there.
    pub fn begin(options: &Options) -> Result<Self, KernelError> {
        let pins = Pins::open(&options.pin_dir)?;
        let is_new = pins.inspect()?.is_none();
        let made = Self::over(options, pins);
        if made.is_err() && is_new {
            // Half of the maps would be nobody's to adopt. The first error is the one to tell.
            Self::detach(&options.pin_dir).ok();
        }
        made
    }

    fn over(options: &Options, pins: Pins) -> Result<Self, KernelError> {
        let Loaded { mut ebpf, whole, common, tunables, clock, adopted } =
            load::load(options, &pins)?;
        let tunables = Arc::new(tunables);
        let maps = Maps::new(&mut ebpf, common, Arc::clone(&tunables))?;
        let planner = Planner::adopt(maps.found()?);
        let links = Links::default();
        let time = Time::new(clock, Arc::clone(&tunables));
        let sweeps = sweeps::Log::new(common.buckets);
        let no_probing = None;
        Ok(Self {
            maps,
            planner,
            links,
            ebpf,
            whole,
            pins,
            common,
            tunables,
            time,
            sweeps,
            adopted,
            no_probing,
        })
    }

    /// Whether a directory may hold pins: it is on a bpffs, or would be if it were made.
    ///
    /// # Errors
    /// It is not.
    pub fn is_place(pin_dir: &Path) -> Result<(), KernelError> {
        Pins::is_place(pin_dir)
    }

    /// Whether a former controller's maps were taken over.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        self.adopted
    }

    /// Takes the program off all interfaces that were not attached since the start.
    ///
    /// # Errors
    /// A pin could not be removed.
    pub fn drop_other_links(&self) -> Result<(), KernelError> {
        self.links.drop_others(&self.pins)
    }

    /// What ends connections.
    #[must_use]
    pub fn sweeper(&self) -> Sweeper {
        let (conns, time) = (self.maps.conns.clone(), self.time.clone());
        Sweeper { conns, time, sweeps: self.sweeps.clone(), signs: None }
    }

    /// The clock that connections end by.
    #[must_use]
    pub fn time(&self) -> Time {
        self.time.clone()
    }

    /// Removes everything that is pinned below a directory: programs leave their interfaces, and
    /// rules and connections are forgotten.
    ///
    /// # Errors
    /// A pin could not be removed.
    pub fn detach(pin_dir: &Path) -> Result<(), KernelError> {
        Pins::at(pin_dir).remove()
    }

    fn write(&mut self, ops: &[Op]) -> Result<(), DataPlaneError> {
        ops.iter().try_for_each(|op| self.maps.apply(op)).map_err(DataPlaneError::from)
    }

    /// What was given up may be used at once when every packet under way is done with it.
    fn settle(&mut self) {
        Self::grace();
        self.planner.rest();
        self.planner.rest();
    }

    /// Waits until every packet that is under way now is through.
    fn grace() {
        // SAFETY: the system call takes no memory; the command waits for a grace period of RCU, under
        // which every XDP program runs.
        unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
    }
}

impl DataPlane for Kernel {
    fn supports(&self, change: &Change) -> Result<(), Invalid> {
        compile::supports(change).map_err(|unsupported| {
            Invalid::unsupported(unsupported.words(), unsupported.to_string())
        })
    }

    fn commit(&mut self, table: &Table, touched: &[ServiceId]) -> Result<(), DataPlaneError> {
        self.suffice(table)?;
        let ops = {
            let maps = &self.maps;
            let cursor = |slot| maps.cursor(slot);
            match self.planner.plan(table, touched, &cursor) {
                Err(crate::plan::PlanError::NoRoom { .. }) => {
                    self.settle();
                    let maps = &self.maps;
                    self.planner.plan(table, touched, &|slot| maps.cursor(slot))?
                }
                planned => planned?,
            }
        };
        self.write(&ops)
    }

    fn adopt(&mut self, table: &Table) -> Result<(), DataPlaneError> {
        let ops = self.planner.drop_others(table);
        self.write(&ops)?;
        let all: Vec<ServiceId> = table.services().map(|entry| entry.service.id).collect();
        self.commit(table, &all)
    }

    fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), DataPlaneError> {
        self.write_timeouts(timeouts);
        Ok(())
    }

    fn set_tunables(&mut self, tunables: &Tunables) -> Result<(), DataPlaneError> {
        self.write_tunables(tunables);
        Ok(())
    }

    fn set_marks(&mut self, rules: &[MarkRule]) -> Result<(), DataPlaneError> {
        self.switch_marks(rules)
    }

    fn load(&self, service: &ServiceId, dest: &DestAddr) -> Load {
        let Some(slot) = self.planner.slot(service, dest) else { return Load::default() };
        let load = self.maps.conns.load(slot);
        let narrow = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Load {
            active: narrow(load.active),
            inactive: narrow(load.inactive()),
            persistent: narrow(load.persistent),
        }
    }

    fn stand_in(&self, service: &ServiceId, dest: &DestAddr) -> Option<IpAddr> {
        probing::stand_in(&self.tunables.read(0), service, self.planner.slot(service, dest)?)
    }

    fn counters(&self, service: &ServiceId, dest: &DestAddr) -> Counters {
        let Some(slot) = self.planner.slot(service, dest) else { return Counters::default() };
        let counters = self.maps.counters(slot);
        Counters {
            conns: counters.connections,
            in_packets: counters.in_packets,
            out_packets: counters.out_packets,
            in_bytes: counters.in_bytes,
            out_bytes: counters.out_bytes,
        }
    }

    fn reset(&mut self, service: &ServiceId, dest: &DestAddr) -> Result<u64, DataPlaneError> {
        let slot = self.planner.slot(service, dest);
        Ok(slot.map(|slot| self.maps.conns.reset(slot)).unwrap_or_default())
    }

    fn connections(&self) -> Box<dyn Connections> {
        Box::new(Lister { conns: self.maps.conns.clone(), time: self.time.clone() })
    }

    fn addresses(&self) -> BTreeSet<IpAddr> {
        self.planner.addresses().collect()
    }

    fn addresses_edition(&self) -> Option<u64> {
        Some(self.planner.addresses_edition())
    }

    fn unknown(&self) -> usize {
        self.planner.unknown()
    }

    fn resolve(&mut self, address: IpAddr, way: &Way) -> Result<(), DataPlaneError> {
        let ops = self.planner.resolve(address, compile::next_hop(way))?;
        self.write(&ops)
    }

    fn attach(&mut self, interface: &str, hook: Hook, why: String) -> Result<(), DataPlaneError> {
        let Self { links, ebpf, pins, common, .. } = self;
        links.attach(ebpf, pins, *common, interface, (hook, why)).map_err(DataPlaneError::from)
    }

    fn lose(&mut self, interface: &str, why: String) {
        self.links.lose(interface, why);
    }

    fn set_network(&mut self, network: &Network) -> Result<(), DataPlaneError> {
        self.maps.interfaces.set(network).map_err(DataPlaneError::from)
    }

    fn tidy(&mut self) -> Result<(), DataPlaneError> {
        let now = (self.time.now(), self.time.now_ns());
        let tunables = self.tunables.read(0);
        let services = self.planner.remembering();
        let collected = self.maps.memory.collect(now, &tunables, services)?;
        for (slot, count) in collected.iter().flat_map(|collected| &collected.counts) {
            self.maps.count_remembered(*slot, *count);
        }
        let conns = &self.maps.conns;
        let is_idle = |slot| {
            let load = conns.load(slot);
            load.total == 0 && load.persistent == 0
        };
        let is_remembered =
            |slot| collected.as_ref().is_none_or(|collected| collected.dests.contains(&slot));
        let ops = self.planner.collect(is_idle, is_remembered);
        self.write(&ops)
    }

    fn status(&self) -> PlaneStatus {
        let interfaces = self.links.held().map(|(name, hook, why)| InterfaceStatus {
            name: name.to_owned(),
            mode: hook.map_or("none", Hook::name).to_owned(),
            why: why.to_owned(),
        });
        let table =
            |(name, used, capacity)| TableStatus { name: str::to_owned(name), used, capacity };
        let remembering = self.planner.remembering();
        let remembered = remembering.map(|service| self.maps.cursor(service.slot)).sum();
        let places = self.planner.occupancy().into_iter();
        let places = places.map(|(name, used, capacity)| (name, used.into(), capacity.into()));
        let tables =
            places.chain([("remembered addresses", remembered, MAX_REMEMBERED as u64)]).map(table);
        let reasons = self.maps.reasons().map(|(reason, packets)| ReasonCount {
            reason: reason.name().to_owned(),
            meaning: reason.explanation().trim().to_owned(),
            packets,
        });
        PlaneStatus {
            interfaces: interfaces.collect(),
            next_hops: Vec::new(),
            tables: [self.sweeps.table()].into_iter().chain(tables).collect(),
            reasons: reasons.collect(),
            probing: self.probing_status(),
            sweeps: self.sweeps.status(),
        }
    }
}

impl Sweeper {
    /// Tells after each sweep what was seen of real servers that may have gone.
    pub fn signs(&mut self) -> watch::Receiver<Arc<Signs>> {
        let (sender, receiver) = watch::channel(Arc::default());
        self.signs = Some(sender);
        receiver
    }

    /// Ends what is over now.
    pub fn sweep(&self) -> Swept {
        let begun = Instant::now();
        let mut tally = self.signs.is_some().then(Tally::default);
        let swept = self.conns.sweep(&self.time, tally.as_mut());
        if let (Some(signs), Some(tally)) = (&self.signs, tally) {
            signs.send_replace(Arc::new(self.conns.signs(&tally)));
        }
        self.sweeps.note(swept, begun.elapsed());
        swept
    }
}
