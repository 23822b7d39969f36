//! Health in the table: which checks there are, and what operators decided over them.

use std::sync::Arc;

use super::{Effect, Table, VirtualService};
use crate::model::{
    DestAddr, Invalid, ServiceId,
    health::{Admin, CheckSpec, DestHealth, ServiceHealth},
};

/// What a service's table entry says of one real server's health.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DestRules {
    /// How it is checked.
    pub health: Arc<DestHealth>,
    /// What the operator decided.
    pub admin: Admin,
}

impl VirtualService {
    /// Whether anything of its real servers' health is known or decided. If not, they get just what
    /// the operator says.
    #[must_use]
    pub fn has_health(&self) -> bool {
        !self.health.is_default() || !self.dest_rules.is_empty()
    }

    /// The checks of a real server, in order.
    #[must_use]
    pub fn checks(&self, addr: &DestAddr) -> &[CheckSpec] {
        let own = self.dest_rules.get(addr).and_then(|rules| rules.health.checks.as_deref());
        own.unwrap_or(&self.health.checks)
    }

    /// What the operator decided over a real server.
    #[must_use]
    pub fn admin(&self, addr: &DestAddr) -> Admin {
        self.dest_rules.get(addr).map(|rules| rules.admin).unwrap_or_default()
    }

    /// Whether a real server is a backup server.
    #[must_use]
    pub fn is_backup(&self, addr: &DestAddr) -> bool {
        self.dest_rules.get(addr).is_some_and(|rules| rules.health.backup)
    }

    fn edit_rules(&mut self, addr: DestAddr, edit: impl FnOnce(&mut DestRules)) {
        let rules = self.dest_rules.entry(addr).or_default();
        edit(rules);
        if *rules == DestRules::default() {
            self.dest_rules.remove(&addr);
        }
    }
}

impl Table {
    pub(super) fn set_health(
        &mut self,
        id: &ServiceId,
        health: &ServiceHealth,
    ) -> Result<Effect, Invalid> {
        let entry = self.services.get_mut(id).ok_or(Invalid::ServiceNotDefined)?;
        health.judge(id)?;
        if let Some(sorry) = &health.policy.sorry_server {
            super::check::family(*id, sorry, &self.daemons)?;
            super::check::ranges(sorry)?;
        }
        Arc::make_mut(entry).health = Arc::new(health.clone());
        Ok(Effect::Service(*id))
    }

    pub(super) fn set_dest_health(
        &mut self,
        id: &ServiceId,
        addr: &DestAddr,
        health: &DestHealth,
    ) -> Result<Effect, Invalid> {
        let entry = self.with_dest(id, addr)?;
        health.judge(id)?;
        let health = Arc::new(health.clone());
        Arc::make_mut(entry).edit_rules(*addr, |rules| rules.health = health);
        Ok(Effect::Service(*id))
    }

    pub(super) fn set_admin(
        &mut self,
        id: &ServiceId,
        addr: &DestAddr,
        admin: Admin,
    ) -> Result<Effect, Invalid> {
        let entry = self.with_dest(id, addr)?;
        Arc::make_mut(entry).edit_rules(*addr, |rules| rules.admin = admin);
        Ok(Effect::Service(*id))
    }

    /// Puts real servers at the head of their service's list, as if they had been deleted and added
    /// again; each is edited no more than that.
    pub fn readd(&mut self, id: &ServiceId, dests: &[DestAddr]) {
        let Some(entry) = self.services.get_mut(id) else { return };
        let pool = &mut Arc::make_mut(entry).pool;
        for addr in dests {
            pool.readd(addr);
        }
    }

    /// The same table, but with this pool in a service.
    #[must_use]
    pub fn with_pool(mut self, id: &ServiceId, pool: crate::model::Pool) -> Self {
        if let Some(entry) = self.services.get_mut(id) {
            Arc::make_mut(entry).pool = pool;
        }
        self
    }

    fn with_dest(
        &mut self,
        id: &ServiceId,
        addr: &DestAddr,
    ) -> Result<&mut Arc<VirtualService>, Invalid> {
        let entry = self.services.get_mut(id).ok_or(Invalid::ServiceNotDefined)?;
        if entry.pool.get(addr).is_none() {
            return Err(Invalid::NoDest);
        }
        Ok(entry)
    }
}
