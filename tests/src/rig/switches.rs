//! IPVS's tunables and firewall marks: set by lvs-ctl's own verbs, and taken back.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Rig;

/// Tunables that are not 0 at first, as the kernel has them.
const AT_FIRST: &[(&str, u64)] =
    &[("conn_reuse_mode", 1), ("lblc_expiration", 86_400), ("lblcr_expiration", 86_400)];

/// What is not as at first.
#[derive(Default)]
pub(super) struct Switched {
    tunables: BTreeSet<String>,
    marks: BTreeSet<(String, u32)>,
}

impl Rig<'_> {
    /// Sets one of IPVS's tunables.
    ///
    /// # Errors
    /// There is no such tunable.
    pub fn tunable(&mut self, name: &str, value: u64) -> Result<()> {
        self.must(&format!("lvs-ctl tunables set {name}={value}"))?;
        self.switched.tunables.insert(name.to_owned());
        Ok(())
    }

    /// Marks the packets for a prefix.
    ///
    /// # Errors
    /// They cannot be marked.
    pub fn mark(&mut self, prefix: &str, mark: u32) -> Result<()> {
        self.must(&format!("lvs-ctl mark add --destination {prefix} {mark}"))?;
        self.switched.marks.insert((prefix.to_owned(), mark));
        Ok(())
    }

    /// Everything as at first.
    pub(super) fn switch_back(&mut self) -> Result<()> {
        let Switched { tunables, marks } = std::mem::take(&mut self.switched);
        for name in tunables {
            let first = AT_FIRST.iter().find(|(known, _)| *known == name).map_or(0, |it| it.1);
            self.must(&format!("lvs-ctl tunables set {name}={first}"))?;
        }
        for (prefix, mark) in marks {
            self.must(&format!("lvs-ctl mark delete --destination {prefix} {mark}"))?;
        }
        Ok(())
    }
}
