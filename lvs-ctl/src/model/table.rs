//! The table of virtual services and its changes, as `ip_vs_ctl.c` makes them.

mod health;

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::health::DestRules;
use super::{
    Change, Daemons, Dest, DestAddr, Host, Invalid, Marks, Pool, Service, ServiceId, SyncRequest,
    SyncRole, Timeouts, Tunables, check, health::ServiceHealth,
};

/// All rules of one director.
///
/// Services are shared: a clone costs one pointer a service, and changing one service of a clone
/// copies only that one. So whoever wants all or nothing works on a clone and swaps.
#[derive(Debug, Clone, Default)]
pub struct Table {
    services: BTreeMap<ServiceId, Arc<VirtualService>>,
    timeouts: Timeouts,
    daemons: Daemons,
    tunables: Tunables,
    marks: Marks,
    serial: u64,
}

/// A virtual service and its real servers.
#[derive(Debug, Clone)]
pub struct VirtualService {
    /// The service.
    pub service: Service,
    /// Its real servers.
    pub pool: Pool,
    /// Where it comes from.
    pub origin: Origin,
    /// Counts additions to the table: another serial under the same identity means that the
    /// service was deleted and added again in between.
    pub serial: u64,
    /// How its real servers are checked, and what follows from it.
    pub health: Arc<ServiceHealth>,
    /// What is said of the health of some of them.
    pub dest_rules: BTreeMap<DestAddr, DestRules>,
}

/// Where a virtual service comes from.
///
/// The configuration file owns the services that it declares: one that it declares no more is
/// deleted when the file is applied again. A service made by a command becomes the file's when the
/// file declares it, and whoever deletes a service deletes its origin with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A command added it.
    #[default]
    Command,
    /// The configuration file declares it.
    File,
}

/// What a change touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// One service or its real servers.
    Service(ServiceId),
    /// These services are gone.
    Flushed(Vec<ServiceId>),
    /// Nothing that packets see: the origin of a service or of a rule that marks packets.
    Declared,
    /// No rule: the counters of one service, or of all.
    Zeroed(Option<ServiceId>),
    /// The timeouts.
    Timeouts,
    /// The synchronisation daemons.
    Daemons,
    /// The tunables.
    Tunables,
    /// The rules that mark packets.
    Marks,
}

impl Table {
    /// The services, by identity.
    pub fn services(&self) -> impl ExactSizeIterator<Item = &VirtualService> {
        self.services.values().map(Arc::as_ref)
    }

    /// The services behind the one of this identity, or all, by identity.
    pub fn services_after(&self, id: Option<&ServiceId>) -> impl Iterator<Item = &VirtualService> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.services.range((from, Bound::Unbounded)).map(|(_, entry)| entry.as_ref())
    }

    /// The service `id`.
    #[must_use]
    pub fn get(&self, id: &ServiceId) -> Option<&VirtualService> {
        self.services.get(id).map(Arc::as_ref)
    }

    /// The connection timeouts.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// The synchronisation daemons.
    #[must_use]
    pub fn daemons(&self) -> &Daemons {
        &self.daemons
    }

    /// The tunables.
    #[must_use]
    pub fn tunables(&self) -> &Tunables {
        &self.tunables
    }

    /// The rules that mark packets.
    #[must_use]
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Makes one change.
    ///
    /// # Errors
    /// What the kernel would refuse, checked in the kernel's order; the table is then unchanged.
    pub fn apply(&mut self, change: &Change, host: &dyn Host) -> Result<Effect, Invalid> {
        match change {
            Change::AddService(service) => self.add_service(service),
            Change::EditService(service) => self.edit_service(service),
            Change::DeleteService(id) => self.delete_service(id),
            Change::Flush => Ok(self.flush()),
            Change::Declare(id) => self.declare(id),
            Change::AddDest { service, dest } => self.add_dest(service, *dest, host),
            Change::EditDest { service, dest } => self.edit_dest(service, *dest),
            Change::DeleteDest { service, dest } => self.delete_dest(service, dest),
            Change::SetHealth { service, health } => self.set_health(service, health),
            Change::SetDestHealth { service, dest, health } => {
                self.set_dest_health(service, dest, health)
            }
            Change::SetAdmin { service, dest, admin } => self.set_admin(service, dest, *admin),
            Change::Zero(id) => self.zero(*id),
            Change::SetTimeouts(timeouts) => Ok(self.set_timeouts(*timeouts)),
            Change::StartDaemon(request) => self.start_daemon(request, host),
            Change::StopDaemon(role) => self.stop_daemon(*role),
            Change::SetTunable { name, value } => {
                self.tunables.set(name, *value).map(|()| Effect::Tunables)
            }
            Change::AddMark(rule) => self.marks.add(rule).map(|()| Effect::Marks),
            Change::DeleteMark(rule) => self.marks.delete(rule).map(|()| Effect::Marks),
            Change::DeclareMark(rule) => self.marks.declare(rule).map(|()| Effect::Declared),
        }
    }

    fn add_service(&mut self, service: &Service) -> Result<Effect, Invalid> {
        if self.services.contains_key(&service.id) {
            return Err(Invalid::ServiceExists);
        }
        check::service(service)?;
        self.insert(service.clone(), Pool::default(), Origin::Command);
        Ok(Effect::Service(service.id))
    }

    pub(super) fn insert(&mut self, service: Service, pool: Pool, origin: Origin) {
        self.serial += 1;
        let id = service.id;
        let entry = VirtualService {
            service,
            pool,
            origin,
            serial: self.serial,
            health: Arc::default(),
            dest_rules: BTreeMap::new(),
        };
        self.services.insert(id, Arc::new(entry));
    }

    pub(super) fn restore_settings(&mut self, timeouts: Timeouts, daemons: Daemons) {
        self.timeouts = timeouts;
        self.daemons = daemons;
    }

    pub(super) fn restore_switches(&mut self, tunables: Tunables, marks: Marks) {
        self.tunables = tunables;
        self.marks = marks;
    }

    fn edit_service(&mut self, service: &Service) -> Result<Effect, Invalid> {
        let entry = self.services.get_mut(&service.id).ok_or(Invalid::NoService)?;
        check::service(service)?;
        Arc::make_mut(entry).service = service.clone();
        Ok(Effect::Service(service.id))
    }

    fn delete_service(&mut self, id: &ServiceId) -> Result<Effect, Invalid> {
        self.services.remove(id).ok_or(Invalid::NoService)?;
        Ok(Effect::Service(*id))
    }

    fn flush(&mut self) -> Effect {
        Effect::Flushed(std::mem::take(&mut self.services).into_keys().collect())
    }

    fn declare(&mut self, id: &ServiceId) -> Result<Effect, Invalid> {
        let entry = self.services.get_mut(id).ok_or(Invalid::NoService)?;
        Arc::make_mut(entry).origin = Origin::File;
        Ok(Effect::Declared)
    }

    fn add_dest(&mut self, id: &ServiceId, dest: Dest, host: &dyn Host) -> Result<Effect, Invalid> {
        let entry = self.services.get_mut(id).ok_or(Invalid::ServiceNotDefined)?;
        check::family(*id, &dest, &self.daemons)?;
        check::ranges(&dest)?;
        if entry.pool.get(&dest.addr).is_some() {
            return Err(Invalid::DestExists);
        }
        check::new_dest(&dest, host)?;
        Arc::make_mut(entry).pool.add(dest);
        Ok(Effect::Service(*id))
    }

    fn edit_dest(&mut self, id: &ServiceId, dest: Dest) -> Result<Effect, Invalid> {
        let entry = self.services.get_mut(id).ok_or(Invalid::ServiceNotDefined)?;
        check::family(*id, &dest, &self.daemons)?;
        check::ranges(&dest)?;
        if entry.pool.get(&dest.addr).is_none() {
            return Err(Invalid::NoDest);
        }
        check::upper_threshold(&dest)?;
        Arc::make_mut(entry).pool.edit(dest);
        Ok(Effect::Service(*id))
    }

    fn delete_dest(&mut self, id: &ServiceId, addr: &DestAddr) -> Result<Effect, Invalid> {
        let entry = self.services.get_mut(id).ok_or(Invalid::ServiceNotDefined)?;
        if entry.pool.get(addr).is_none() {
            return Err(Invalid::NoDest);
        }
        let entry = Arc::make_mut(entry);
        entry.pool.delete(addr);
        entry.dest_rules.remove(addr);
        Ok(Effect::Service(*id))
    }

    fn zero(&self, id: Option<ServiceId>) -> Result<Effect, Invalid> {
        match id {
            Some(id) if !self.services.contains_key(&id) => Err(Invalid::NoService),
            _ => Ok(Effect::Zeroed(id)),
        }
    }

    fn set_timeouts(&mut self, timeouts: Timeouts) -> Effect {
        self.timeouts = self.timeouts.updated_by(timeouts);
        Effect::Timeouts
    }

    fn start_daemon(&mut self, request: &SyncRequest, host: &dyn Host) -> Result<Effect, Invalid> {
        if self.services.values().any(|entry| check::has_mixed_family(entry)) {
            return Err(Invalid::InvalidOperation(super::Why::MixedFamilySync));
        }
        let link = host.link(&request.interface).ok_or(Invalid::NoDevice)?;
        let slot = self.daemons.slot(request.role);
        if slot.is_some() {
            return Err(Invalid::DaemonRuns);
        }
        *slot = Some(check::daemon(request, link)?);
        Ok(Effect::Daemons)
    }

    fn stop_daemon(&mut self, role: SyncRole) -> Result<Effect, Invalid> {
        self.daemons.slot(role).take().ok_or(Invalid::NoDaemon)?;
        Ok(Effect::Daemons)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
