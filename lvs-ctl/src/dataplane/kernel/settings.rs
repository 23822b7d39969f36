//! What holds for the whole director: timeouts, tunables, and the rules that mark packets.

#![forbid(unsafe_code)]

use std::sync::atomic::{Ordering, fence};

use lvs_common::{
    map::{self, MAX_MARK_RULES, marks_that_hold, marks_word},
    tcp_state::State,
};

use super::{DataPlaneError, Kernel};
use crate::model::{MarkRule, Timeouts, Tunables, tunables};

impl Kernel {
    pub(super) fn write_timeouts(&self, timeouts: Timeouts) {
        self.tunables.edit(0, |it: &mut map::Tunables| {
            for (state, seconds) in [
                (State::ESTABLISHED, timeouts.tcp_s),
                (State::FIN_WAIT, timeouts.tcp_fin_s),
                (State::UDP, timeouts.udp_s),
                (State::UDP_ANSWERED, timeouts.udp_s),
            ] {
                it.timeouts[usize::from(state.number())] =
                    seconds.saturating_mul(it.ticks_per_second);
            }
        });
    }

    pub(super) fn write_tunables(&self, set: &Tunables) {
        let bits = |name| i32::try_from(set.number(name)).unwrap_or_default().cast_unsigned();
        self.tunables.edit(0, |it: &mut map::Tunables| {
            let ticks = |name| {
                let seconds = u32::try_from(set.number(name)).unwrap_or_default();
                seconds.saturating_mul(it.ticks_per_second)
            };
            it.lblc_expiration = ticks(tunables::LBLC_EXPIRATION);
            it.lblcr_expiration = ticks(tunables::LBLCR_EXPIRATION);
            it.conn_reuse_mode = bits(tunables::CONN_REUSE_MODE);
            it.sloppy_sctp = bits(tunables::SLOPPY_SCTP);
            it.sloppy_tcp = bits(tunables::SLOPPY_TCP);
            it.expire_nodest_conn = bits(tunables::EXPIRE_NODEST_CONN);
            it.expire_quiescent_template = bits(tunables::EXPIRE_QUIESCENT_TEMPLATE);
            it.secure_tcp = (set.number(tunables::SECURE_TCP) == tunables::ALWAYS).into();
        });
    }

    /// Writes the rules beside those that hold, then switches.
    pub(super) fn switch_marks(&mut self, rules: &[MarkRule]) -> Result<(), DataPlaneError> {
        let (list, ops) = self.planner.mark(rules)?;
        self.write(&ops)?;
        let tunables: map::Tunables = self.tunables.read(0);
        let (first, count) = marks_that_hold(tunables.marks);
        if self.maps.marks(first, count) == list {
            return Ok(());
        }
        // A packet may still be looking through what held before the last switch.
        Self::grace();
        let narrow = |number| u16::try_from(number).unwrap_or_default();
        let beside = if first == 0 { narrow(MAX_MARK_RULES) } else { 0 };
        self.maps.write_marks(beside, &list);
        // The rules are there for whoever sees the switch.
        fence(Ordering::Release);
        // Without rules the word is 0, which is all that packets look at.
        let first = if list.is_empty() { 0 } else { beside };
        let word = marks_word(first, narrow(list.len()));
        self.tunables.edit(0, |it: &mut map::Tunables| it.marks = word);
        Ok(())
    }
}
