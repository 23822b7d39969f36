//! Which kinds of services there are, so that packets are not looked up in vain under other ports.

use std::collections::BTreeMap;

/// How many services there are of each kind, a bit of
/// [`Tunables::kinds`](lvs_common::map::Tunables::kinds).
#[derive(Debug, Default)]
pub(super) struct Kinds {
    counts: BTreeMap<u32, usize>,
    /// As the maps have it, if that is known.
    written: Option<u32>,
}

impl Kinds {
    /// One service more of a kind, or of none.
    pub(super) fn join(&mut self, kind: u32) {
        if kind != 0 {
            *self.counts.entry(kind).or_default() += 1;
        }
    }

    /// One less.
    pub(super) fn leave(&mut self, kind: u32) {
        if let Some(count) = self.counts.get_mut(&kind) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&kind);
            }
        }
    }

    /// The kinds there are, if that was not said before.
    pub(super) fn changed(&mut self) -> Option<u32> {
        let kinds = self.counts.keys().fold(0, |kinds, kind| kinds | kind);
        (self.written.replace(kinds) != Some(kinds)).then_some(kinds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_said_when_its_first_service_comes_and_when_its_last_goes() {
        let mut kinds = Kinds::default();
        assert_eq!(kinds.changed(), Some(0));
        kinds.join(2);
        assert_eq!(kinds.changed(), Some(2));
        kinds.join(2);
        kinds.join(0);
        kinds.join(1);
        assert_eq!(kinds.changed(), Some(3));
        kinds.leave(2);
        assert_eq!(kinds.changed(), None);
        kinds.leave(2);
        assert_eq!(kinds.changed(), Some(1));
    }
}
