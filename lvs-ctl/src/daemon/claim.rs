//! One controller at a time: who holds the pin directory's lock. A controller that is killed lets go
//! of it; what is pinned stays.

#![forbid(unsafe_code)]

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use anyhow::{Context as _, bail};

/// The right to the pins below a directory, until it is dropped.
pub(super) struct Claim {
    _directory: File,
}

impl Claim {
    /// Takes it; the directory is made if it is not there.
    ///
    /// # Errors
    /// Another process has it.
    pub(super) fn take(pin_dir: &Path) -> anyhow::Result<Self> {
        let shown = pin_dir.display();
        fs::create_dir_all(pin_dir).with_context(|| format!("cannot make {shown}"))?;
        let directory = File::open(pin_dir).with_context(|| format!("cannot open {shown}"))?;
        match directory.try_lock() {
            Ok(()) => Ok(Self { _directory: directory }),
            Err(TryLockError::WouldBlock) => {
                bail!("another controller is running with its pins in {shown}")
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {shown}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_claimed_by_one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let pins = directory.path().join("pins");
        let first = Claim::take(&pins).unwrap();
        let refused = Claim::take(&pins).err().unwrap().to_string();
        assert!(refused.starts_with("another controller is running"), "{refused}");
        drop(first);
        Claim::take(&pins).unwrap();
    }
}
