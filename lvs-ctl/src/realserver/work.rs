//! Planning changes, making all or none of them, taking them back.

use super::{
    RealServerError,
    record::{Record, RecordFile},
    setting::{Change, Setting},
    setup::Setup,
};

/// The host, as far as settings go.
pub trait Machine {
    /// The value of a setting; nothing: it is not there.
    ///
    /// # Errors
    /// It cannot be told.
    fn get(&self, setting: &Setting) -> Result<Option<String>, RealServerError>;

    /// Gives a setting a value, or removes it.
    ///
    /// # Errors
    /// It is as it was.
    fn set(&self, setting: &Setting, value: Option<&str>) -> Result<(), RealServerError>;

    /// Says why a setting that is to be changed cannot be, if that is known beforehand.
    ///
    /// # Errors
    /// That.
    fn can_have(&self, setting: &Setting) -> Result<(), RealServerError>;

    /// Whether there is such an interface.
    ///
    /// # Errors
    /// It cannot be told.
    fn has_interface(&self, name: &str) -> Result<bool, RealServerError>;
}

/// How taking a change back went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// It is as it was before.
    Restored,
    /// It was so already.
    WasSo,
    /// Somebody has changed it since; left at this.
    Left(Option<String>),
}

/// What is missing for a setup. Nothing is changed.
///
/// # Errors
/// The setup is impossible here.
pub fn plan(machine: &impl Machine, setup: &Setup) -> Result<Vec<Change>, RealServerError> {
    let needs = setup.needs()?;
    if let Some(interface) = &setup.interface
        && !machine.has_interface(interface)?
    {
        return Err(RealServerError::NoInterface(interface.clone()));
    }
    let mut changes = Vec::new();
    for (setting, need) in needs {
        let before = machine.get(&setting)?;
        if !need.is_met_by(before.as_deref()) {
            machine.can_have(&setting)?;
            changes.push(Change { setting, before, after: Some(need.value()) });
        }
    }
    Ok(changes)
}

/// Makes planned changes, all or none, and records them.
///
/// # Errors
/// The host and the record are as they were, as far as the host lets them.
pub fn make(
    machine: &impl Machine,
    file: &RecordFile,
    setup: &Setup,
    changes: &[Change],
) -> Result<(), RealServerError> {
    let former = file.read()?;
    let mut record = former.clone();
    record.changes.extend_from_slice(changes);
    if !record.setups.contains(setup) {
        record.setups.push(setup.clone());
    }
    // Before the first change: whoever is interrupted can take back.
    file.write(&record)?;
    for (made, change) in changes.iter().enumerate() {
        if let Err(error) = machine.set(&change.setting, change.after.as_deref()) {
            for change in changes[..made].iter().rev() {
                // The first failure is what is told.
                take_back(machine, change).ok();
            }
            file.write(&former)?;
            return Err(error);
        }
    }
    Ok(())
}

/// Takes every recorded change back, the last first. What somebody else has changed since stays.
///
/// # Errors
/// A change cannot be taken back; it and those before it are still recorded.
pub fn undo(
    machine: &impl Machine,
    file: &RecordFile,
) -> Result<Vec<(Change, Undone)>, RealServerError> {
    let mut record = file.read()?;
    let mut all = Vec::new();
    while let Some(change) = record.changes.last().cloned() {
        let undone = take_back(machine, &change);
        if undone.is_err() {
            file.write(&record)?;
        }
        all.push((change, undone?));
        record.changes.pop();
    }
    file.write(&Record::default())?;
    Ok(all)
}

fn take_back(machine: &impl Machine, change: &Change) -> Result<Undone, RealServerError> {
    let now = machine.get(&change.setting)?;
    if now == change.before {
        return Ok(Undone::WasSo);
    }
    let Change { setting, before, after } = change;
    // A route is shown with more words than it was made of.
    let ours = match (&now, after) {
        (Some(now), Some(after)) => now == after || now.contains(after.as_str()),
        (now, after) => now == after,
    };
    if !ours {
        return Ok(Undone::Left(now));
    }
    machine.set(setting, before.as_deref())?;
    Ok(Undone::Restored)
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap};

    use super::*;
    use crate::realserver::setup::Method;

    /// A host in memory; one setting of it cannot be changed.
    #[derive(Default)]
    struct Memory {
        values: RefCell<BTreeMap<String, String>>,
        stubborn: Option<&'static str>,
    }

    impl Machine for Memory {
        fn get(&self, setting: &Setting) -> Result<Option<String>, RealServerError> {
            Ok(self.values.borrow().get(&setting.to_string()).cloned())
        }

        fn set(&self, setting: &Setting, value: Option<&str>) -> Result<(), RealServerError> {
            let name = setting.to_string();
            if self.stubborn == Some(&*name) {
                return Err(RealServerError::Makes("no"));
            }
            match value {
                Some(value) => self.values.borrow_mut().insert(name, value.to_owned()),
                None => self.values.borrow_mut().remove(&name),
            };
            Ok(())
        }

        fn can_have(&self, _: &Setting) -> Result<(), RealServerError> {
            Ok(())
        }

        fn has_interface(&self, name: &str) -> Result<bool, RealServerError> {
            Ok(name == "eth0")
        }
    }

    const IGNORE: &str = "net/ipv4/conf/all/arp_ignore";
    const ANNOUNCE: &str = "net/ipv4/conf/all/arp_announce";

    fn fresh(stubborn: Option<&'static str>) -> Memory {
        let values = [IGNORE, ANNOUNCE].map(|name| (name.to_owned(), "0".to_owned()));
        Memory { values: RefCell::new(values.into()), stubborn }
    }

    fn dr() -> Setup {
        Setup { method: Method::Dr, vip: "192.0.2.15".parse().unwrap(), interface: None }
    }

    fn file() -> (tempfile::TempDir, RecordFile) {
        let directory = tempfile::tempdir().unwrap();
        let file = RecordFile::at(&directory.path().join("run/record.json"));
        (directory, file)
    }

    #[test]
    fn what_was_made_is_not_made_again_and_is_taken_back() {
        let (machine, (_directory, file)) = (fresh(None), file());
        let before = machine.values.borrow().clone();
        let changes = plan(&machine, &dr()).unwrap();
        assert_eq!(changes.len(), 3);
        make(&machine, &file, &dr(), &changes).unwrap();
        assert_eq!(plan(&machine, &dr()).unwrap(), []);
        make(&machine, &file, &dr(), &[]).unwrap();
        assert_eq!(file.read().unwrap().setups, [dr()]);
        let undone = undo(&machine, &file).unwrap();
        assert!(undone.iter().all(|(_, undone)| *undone == Undone::Restored), "{undone:?}");
        assert_eq!(*machine.values.borrow(), before);
        assert_eq!(undo(&machine, &file).unwrap(), []);
    }

    #[test]
    fn after_a_failure_everything_is_as_before() {
        let (machine, (_directory, file)) = (fresh(Some("address 192.0.2.15 on lo")), file());
        let before = machine.values.borrow().clone();
        let changes = plan(&machine, &dr()).unwrap();
        make(&machine, &file, &dr(), &changes).unwrap_err();
        assert_eq!(*machine.values.borrow(), before);
        assert_eq!(file.read().unwrap(), Record::default());
    }

    #[test]
    fn what_somebody_else_changed_since_is_left() {
        let (machine, (_directory, file)) = (fresh(None), file());
        let changes = plan(&machine, &dr()).unwrap();
        make(&machine, &file, &dr(), &changes).unwrap();
        machine.values.borrow_mut().insert(IGNORE.to_owned(), "3".to_owned());
        let undone = undo(&machine, &file).unwrap();
        let left: Vec<_> =
            undone.iter().filter(|(_, undone)| *undone != Undone::Restored).collect();
        assert!(matches!(left[..], [(_, Undone::Left(Some(_)))]), "{undone:?}");
        assert_eq!(machine.values.borrow()[IGNORE], "3");
        assert_eq!(machine.values.borrow()[ANNOUNCE], "0");
    }

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let setup = Setup { interface: Some("eth9".to_owned()), ..dr() };
        let error = plan(&fresh(None), &setup).unwrap_err();
        assert_eq!(error.to_string(), "there is no interface eth9");
    }
}
