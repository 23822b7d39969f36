//! The slots of a service's real servers: of those that packets go to, and of those that are only checked.

use std::collections::BTreeSet;

use lvs_common::map::{self, Method, ServiceKey};

use super::{
    Op, PlanError, compile,
    cursor::Listed,
    dests::Known,
    memory::remembers,
    planner::{Planned, Planner},
};
use crate::model::{Dest, VirtualService};

impl Planner {
    /// Slots for a service's real servers, newest first: those that they have or had, or new ones.
    pub(super) fn list(
        &mut self,
        key: ServiceKey,
        entry: &VirtualService,
        ops: &mut Vec<Op>,
    ) -> Result<Vec<Listed>, PlanError> {
        let mut list = Vec::with_capacity(entry.pool.len());
        // Others do not look at them, and need not have all their real servers written anew.
        let has_positions = remembers(compile::scheduler(&entry.service)?);
        for (position, real) in (0..).zip(entry.pool.iter()) {
            let position = if has_positions { position } else { 0 };
            let slot = self.place(key, &real.dest, |value| value.position = position, ops)?;
            list.push(Listed {
                slot,
                weight: real.dest.weight,
                serial: real.serial,
                edits: real.edits,
            });
        }
        Ok(list)
    }

    /// Slots for those that are checked without being listed.
    pub(super) fn aside(
        &mut self,
        key: ServiceKey,
        entry: &VirtualService,
        ops: &mut Vec<Op>,
    ) -> Result<Vec<u32>, PlanError> {
        let held = |value: &mut map::Dest| value.flags = map::Dest::USED | map::Dest::PROBED;
        // Before it is needed a sorry server that cannot be had is nobody's trouble.
        let aside = entry.pool.aside().iter();
        let aside = aside.filter(|dest| compile::dest(key, dest, map::NextHop::UNRESOLVED).is_ok());
        aside.map(|dest| self.place(key, dest, held, ops)).collect()
    }

    /// Marks the real servers that were listed or held aside, but are not any more, as gone.
    pub(super) fn retire(
        &mut self,
        before: Option<&Planned>,
        list: &[Listed],
        aside: &[u32],
        ops: &mut Vec<Op>,
    ) {
        let listed = list.iter().map(|listed| listed.slot);
        let kept: BTreeSet<u32> = listed.chain(aside.iter().copied()).collect();
        let former = before.into_iter().flat_map(|planned| {
            planned.list.iter().map(|listed| listed.slot).chain(planned.aside.iter().copied())
        });
        for slot in former.filter(|slot| !kept.contains(slot)) {
            ops.extend(self.dests.retire(slot).map(|value| Op::Dest(slot, value)));
        }
    }

    /// The slot that a real server has or had, or a new one, with its value, which is `edit`ed.
    fn place(
        &mut self,
        key: ServiceKey,
        dest: &Dest,
        edit: impl FnOnce(&mut map::Dest),
        ops: &mut Vec<Op>,
    ) -> Result<u32, PlanError> {
        let addr = dest.addr;
        let known = self.dests.get(&(key, addr)).copied();
        let slot = if let Some(known) = known {
            known.slot
        } else {
            let capacity = self.dest_slots.capacity();
            let slot = self.dest_slots.take();
            let slot = slot.ok_or(PlanError::NoRoom { what: "real server", capacity })?;
            ops.push(Op::Fresh(slot));
            slot
        };
        let mut value = compile::dest(key, dest, self.hops.join(addr.address, slot))?;
        edit(&mut value);
        if known.is_none_or(|known| known.value != value) {
            ops.push(Op::Dest(slot, value));
        }
        if value.method == Method::MASQ {
            ops.push(Op::Rip(addr.address));
        }
        self.dests.set((key, addr), Known { slot, value });
        Ok(slot)
    }
}
