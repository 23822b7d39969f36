//! Health checks through the data path: the program that sends them, and what became of them.

#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use aya::{
    Ebpf,
    maps::{HashMap as BpfMap, MapData},
};
use lvs_common::{
    map::{
        self, Dest, NextHop, Probed, ProbedEnd, ServiceKey, name,
        probe::{DEVICE, PEER, stand_in_v4, stand_in_v6},
    },
    net::{Addr, Be16},
};

use super::{
    Kernel, KernelError,
    attach::{self, Hook},
    load,
    mapped::Mapped,
    maps,
    programs::PROBE,
};
use crate::{
    model::{DestAddr, ProbingStatus, ServiceId, StandIns},
    plan::compile,
};

/// Slots of real servers, kept by whoever writes them and read by others.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots(Arc<RwLock<HashMap<Key, u32>>>);

/// A real server: its service, its address and its port.
type Key = (ServiceKey, Addr, Be16);

/// What whoever checks has to know of the data path. Reading it holds nobody up.
pub struct Probing {
    slots: Slots,
    dests: Arc<Mapped>,
    next_hops: Arc<Mapped>,
    probed: BpfMap<MapData, ProbedEnd, Probed>,
    tunables: Arc<Mapped>,
}

/// The way to a real server, as packets find it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its slot.
    pub slot: u32,
    /// What stands in for it.
    pub stand_in: IpAddr,
    /// The interface that packets leave by; none if the way is not known.
    pub interface: Option<u32>,
    /// It is the director itself.
    pub is_local: bool,
    /// The director's address toward it; unspecified if it has none.
    pub from: IpAddr,
}

impl Slots {
    /// Takes over what is written to a slot.
    pub(super) fn note(&self, slot: u32, dest: &Dest) {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let key = (dest.service, dest.address, dest.port);
        if dest.is_probed() {
            slots.insert(key, slot);
        } else if slots.get(&key) == Some(&slot) {
            slots.remove(&key);
        }
    }

    fn get(&self, key: &Key) -> Option<u32> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }
}

impl Kernel {
    /// Sends health checks that come to the far end of their device, whose number is `far`, from now on,
    /// to the real servers that addresses of these networks stand in for.
    ///
    /// # Errors
    /// The device does not take the program.
    pub fn probe_by(&mut self, far: u32, stand_ins: StandIns) -> Result<(), KernelError> {
        let program = load::xdp(&mut self.ebpf, PROBE)?;
        // In the stack: whatever interface the real servers are behind takes what it sends.
        attach::patiently(program, PEER, Hook::Generic, attach::LEAVING)?;
        self.tunables.edit(0, |it: &mut map::Tunables| {
            (it.stand_ins, it.stand_ins6) = (stand_ins.v4(), stand_ins.v6());
            it.probes = far;
        });
        self.no_probing = None;
        Ok(())
    }

    /// Takes answers for anybody else's from now on; `why` is for the status.
    pub fn probe_no_more(&mut self, why: String) {
        self.tunables.edit(0, |it: &mut map::Tunables| it.probes = 0);
        self.no_probing = Some(why);
    }

    /// For the status.
    pub(super) fn probing_status(&self) -> Option<ProbingStatus> {
        let tunables: map::Tunables = self.tunables.read(0);
        if tunables.probes == 0 {
            let why = self.no_probing.clone();
            return why.map(|why| ProbingStatus { why: Some(why), ..ProbingStatus::default() });
        }
        let networks = StandIns::told(tunables.stand_ins, tunables.stand_ins6).networks();
        let stand_ins = networks.map(|network| network.to_string()).into();
        Some(ProbingStatus { device: Some(DEVICE.to_owned()), stand_ins, why: None })
    }

    /// What whoever checks has to know; once.
    ///
    /// # Errors
    /// The object has no such map.
    pub fn probing(&mut self) -> Result<Probing, KernelError> {
        Ok(Probing {
            slots: self.maps.slots.clone(),
            dests: self.maps.dests(),
            next_hops: self.maps.next_hops(),
            probed: probed(&mut self.ebpf)?,
            tunables: Arc::clone(&self.tunables),
        })
    }
}

/// The stand-in of a slot, if there are any for its service.
pub(super) fn stand_in(tunables: &map::Tunables, service: &ServiceId, slot: u32) -> Option<IpAddr> {
    let ServiceId::Address { address, .. } = service else { return None };
    (tunables.probes != 0).then(|| match address {
        IpAddr::V4(_) => Addr::v4(stand_in_v4(tunables.stand_ins, slot)).ip(),
        IpAddr::V6(_) => stand_in_v6(tunables.stand_ins6, slot).ip(),
    })
}

fn probed(ebpf: &mut Ebpf) -> Result<BpfMap<MapData, ProbedEnd, Probed>, KernelError> {
    let map = ebpf.take_map(name::PROBED).ok_or(KernelError::Missing(name::PROBED))?;
    BpfMap::try_from(map).map_err(|error| maps::map_error("open", name::PROBED, error))
}

impl Probing {
    /// The way to a real server; none before packets find it.
    #[must_use]
    pub fn find(&self, service: &ServiceId, dest: &DestAddr) -> Option<Found> {
        let key = (compile::key(service), Addr::from(dest.address), Be16::new(dest.port));
        let slot = self.slots.get(&key)?;
        let stand_in = stand_in(&self.tunables.read(0), service, slot)?;
        let dest: Dest = self.dests.read(slot as usize);
        let hop: NextHop = self.next_hops.read(dest.next_hop as usize);
        let interface = Some(hop.interface).filter(|&interface| interface != 0);
        let is_local = hop.flags & NextHop::LOCAL != 0;
        Some(Found { slot, stand_in, is_local, interface, from: hop.from.ip() })
    }

    /// What became of the last check of an end; `port` is the stand-in's, 0 in ICMP.
    #[must_use]
    pub fn outcome(&self, slot: u32, port: u16, protocol: u8) -> Option<Probed> {
        let end = ProbedEnd { dest: slot, port: Be16::new(port), protocol, pad: 0 };
        self.probed.get(&end, 0).ok()
    }
}
