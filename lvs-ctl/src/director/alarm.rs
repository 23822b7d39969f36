//! A word in the log when a table becomes too full, and when it is not any more.

use std::collections::BTreeSet;

use crate::model::TableStatus;

/// An alarm ends this far below where it began, percent: not every connection is worth a word.
const HYSTERESIS_PERCENT: u64 = 5;

/// The tables that are too full.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    ringing: BTreeSet<String>,
}

impl Alarm {
    /// Looks at the tables.
    pub(super) fn watch(&mut self, tables: &[TableStatus]) {
        for table in tables {
            let TableStatus { name, used, capacity } = table;
            let percent = table.percent();
            if table.is_alarming() {
                if self.ringing.insert(name.clone()) {
                    tracing::warn!(table = %name, used, capacity, percent, "a table fills up");
                }
            } else if percent + HYSTERESIS_PERCENT < TableStatus::ALARM_PERCENT
                && self.ringing.remove(name)
            {
                tracing::info!(table = %name, used, capacity, percent, "a table has room again");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_once_until_it_is_well_below() {
        let mut alarm = Alarm::default();
        let mut rings = |used| {
            alarm.watch(&[TableStatus { name: "connections".into(), used, capacity: 100 }]);
            !alarm.ringing.is_empty()
        };
        assert_eq!(
            [59, 60, 99, 58, 55, 54, 59].map(&mut rings),
            [false, true, true, true, true, false, false]
        );
    }
}
