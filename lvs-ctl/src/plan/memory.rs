//! What lblc and lblcr remember, as far as rules decide it: an era a service, and when another begins.

use lvs_common::sched::Kind;

use super::planner::Planned;

/// The eras begun so far. No two services, nor two times of one, have the same.
#[derive(Debug, Default)]
pub(super) struct Eras {
    last: u32,
}

/// A service that remembers addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembering {
    /// Its slot.
    pub slot: u32,
    /// Its era.
    pub era: u32,
    /// lblc or lblcr.
    pub kind: Kind,
}

impl Eras {
    /// As a former controller left them.
    pub(super) const fn adopted(last: u32) -> Self {
        Self { last }
    }

    /// The era of a service with this scheduler: the one before, unless the scheduler is another or the
    /// service was deleted and added again.
    pub(super) fn of(&mut self, kind: Kind, serial: u64, before: Option<&Planned>) -> u32 {
        match before {
            _ if !remembers(kind) => 0,
            Some(before)
                if before.kind == kind && before.serial.is_none_or(|same| same == serial) =>
            {
                before.value.era
            }
            _ => {
                // Around after 2^32 edits: what that era remembered has been collected by then.
                self.last = self.last.wrapping_add(1);
                self.last
            }
        }
    }
}

/// Whether it remembers addresses.
pub(super) const fn remembers(kind: Kind) -> bool {
    matches!(kind, Kind::Lblc | Kind::Lblcr)
}

#[cfg(test)]
mod tests {
    use lvs_common::map;

    use super::*;

    /// A service of this scheduler, in its first era.
    fn planned(kind: Kind, serial: Option<u64>) -> Planned {
        let value = map::Service { era: 1, ..map::Service::default() };
        Planned { value, kind, list: Vec::new(), aside: Vec::new(), table_units: 0, serial }
    }

    #[test]
    fn an_era_lasts_as_long_as_the_service_and_its_scheduler() {
        let mut eras = Eras::adopted(4);
        for before in [planned(Kind::Lblc, Some(7)), planned(Kind::Lblc, None)] {
            assert_eq!(eras.of(Kind::Lblc, 7, Some(&before)), 1);
        }
        assert_eq!(eras.of(Kind::Lblc, 8, Some(&planned(Kind::Lblc, Some(7)))), 5);
        assert_eq!(eras.of(Kind::Lblcr, 7, Some(&planned(Kind::Lblc, Some(7)))), 6);
        assert_eq!(eras.of(Kind::Lblc, 9, None), 7);
    }

    #[test]
    fn who_remembers_nothing_has_no_era() {
        let mut eras = Eras::default();
        assert_eq!(eras.of(Kind::Wlc, 1, Some(&planned(Kind::Lblc, Some(1)))), 0);
        assert_eq!(eras.of(Kind::Lblc, 1, Some(&planned(Kind::Wlc, Some(1)))), 1);
    }
}
