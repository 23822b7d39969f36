//! A request, worked through on a copy of the table and then carried out: all of it or nothing.

use std::{borrow::Cow, collections::BTreeSet};

use super::{ChangeRequest, Director, DirectorError, Who, audit};
use crate::{
    dataplane::{DataPlane, DataPlaneError},
    model::{Change, Effect, Invalid, ServiceId, Table, health::Effective},
};

/// A request worked through on a copy of the table.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) made: Vec<Change>,
    pub(super) records: Vec<audit::Record>,
    pub(super) refused: Vec<(usize, Invalid)>,
    pub(super) touched: BTreeSet<ServiceId>,
    pub(super) zeroed: Vec<Option<ServiceId>>,
    pub(super) settings: BTreeSet<Setting>,
    /// Whether anything but counters changed.
    pub(super) rules: bool,
}

/// What the data plane is told as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setting {
    Timeouts,
    Tunables,
    Marks,
}

impl Setting {
    pub(super) const ALL: [Self; 3] = [Self::Timeouts, Self::Tunables, Self::Marks];

    /// Tells the data plane what `table` says.
    pub(super) fn carry_out(
        self,
        table: &Table,
        plane: &mut impl DataPlane,
    ) -> Result<(), DataPlaneError> {
        match self {
            Self::Timeouts => plane.set_timeouts(table.timeouts()),
            Self::Tunables => plane.set_tunables(table.tunables()),
            Self::Marks => plane.set_marks(table.marks().rules()),
        }
    }
}

impl<D: DataPlane> Director<D> {
    pub(super) fn draft(
        &self,
        table: &mut Table,
        who: &Who,
        request: &ChangeRequest,
    ) -> Result<Draft, DirectorError> {
        let mut draft = Draft::default();
        for (index, change) in request.changes.iter().enumerate() {
            let change = &*self.meant(change, table);
            let allowed = if who.is_allowed(change) { Ok(()) } else { Err(Invalid::MayNotExec) };
            let supported = allowed.and_then(|()| self.plane.supports(change));
            let record = audit::Draft::new(change, table);
            match supported.and_then(|()| table.apply(change, &*self.host)) {
                Ok(effect) => {
                    draft.records.push(record.made(change, table));
                    draft.note(change, effect);
                }
                Err(invalid) if request.all_or_nothing => {
                    return Err(DirectorError::Refused { index, invalid });
                }
                Err(invalid) => draft.refused.push((index, invalid)),
            }
        }
        Ok(draft)
    }

    /// What `change` means: a real server that health has taken out of its list is not there for
    /// whoever adds it, so that edits it.
    fn meant<'a>(&self, change: &'a Change, table: &Table) -> Cow<'a, Change> {
        if let Change::AddDest { service, dest } = change {
            let gets = self.overlay.get(service).and_then(|known| known.gets(&dest.addr));
            let entry = table.get(service);
            let is_there = entry.is_some_and(|entry| entry.pool.get(&dest.addr).is_some());
            if is_there && gets == Some(Effective::Absent) {
                return Cow::Owned(Change::EditDest { service: *service, dest: *dest });
            }
        }
        Cow::Borrowed(change)
    }

    /// Makes `table` the table: data plane, state directory and memory, or none of them.
    pub(super) fn commit(&mut self, mut table: Table, draft: &Draft) -> Result<(), DirectorError> {
        if !draft.rules {
            return Ok(());
        }
        let touched = draft.touched.iter().copied();
        let (seen, known) = self.overlay.lay(&mut table, &self.seen, touched).into_parts();
        let departing = self.statistics.departing(&seen, &draft.touched, &self.plane);
        let carried_out = draft.carry_out(&seen, &mut self.plane).map_err(DirectorError::from);
        if let Err(error) = carried_out.and_then(|()| self.write_down(draft)) {
            draft.take_back(&self.seen, &mut self.plane);
            return Err(error);
        }
        self.statistics.settle(&seen, &draft.touched, departing, &self.plane);
        (self.table, self.seen) = (table, seen);
        self.revision += 1;
        // Whoever changed the rules changed what follows from them: their audit lines tell it.
        self.overlay.accept(known, |_, _| String::new());
        self.follow_checks(draft.touched.iter().copied());
        self.compact_if_long();
        Ok(())
    }

    fn write_down(&mut self, draft: &Draft) -> Result<(), DirectorError> {
        if let Some(state) = &mut self.state {
            state.append(self.revision + 1, &draft.made)?;
        }
        Ok(())
    }

    fn compact_if_long(&mut self) {
        let Some(state) = self.state.as_mut().filter(|state| state.is_long()) else { return };
        if let Err(error) = state.compact(&self.table.snapshot(self.revision)) {
            tracing::warn!(%error, "the journal of changes goes on growing");
        }
    }
}

impl Draft {
    fn note(&mut self, change: &Change, effect: Effect) {
        self.rules |= !matches!(effect, Effect::Zeroed(_));
        match effect {
            Effect::Service(id) => {
                self.touched.insert(id);
            }
            Effect::Flushed(ids) => self.touched.extend(ids),
            Effect::Zeroed(id) => self.zeroed.push(id),
            Effect::Timeouts => self.note_setting(Setting::Timeouts),
            Effect::Tunables => self.note_setting(Setting::Tunables),
            Effect::Marks => self.note_setting(Setting::Marks),
            Effect::Daemons | Effect::Declared => (),
        }
        self.made.push(change.clone());
    }

    fn note_setting(&mut self, setting: Setting) {
        self.settings.insert(setting);
    }

    /// Makes the data plane do as `table` says in everything that the request touches.
    fn carry_out(&self, table: &Table, plane: &mut impl DataPlane) -> Result<(), DataPlaneError> {
        self.settings.iter().try_for_each(|setting| setting.carry_out(table, plane))?;
        self.commit_services(table, plane)
    }

    /// The same with the table before, as far as that goes.
    fn take_back(&self, table: &Table, plane: &mut impl DataPlane) {
        let mut result = Ok(());
        for setting in &self.settings {
            result = result.and(setting.carry_out(table, plane));
        }
        if let Err(error) = result.and(self.commit_services(table, plane)) {
            tracing::error!(%error, "the data plane took neither the new rules nor the old ones");
        }
    }

    fn commit_services(
        &self,
        table: &Table,
        plane: &mut impl DataPlane,
    ) -> Result<(), DataPlaneError> {
        let touched: Vec<ServiceId> = self.touched.iter().copied().collect();
        if touched.is_empty() { Ok(()) } else { plane.commit(table, &touched) }
    }
}
