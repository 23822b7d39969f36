//! Where the director keeps its rules.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use crate::{
    config::{PERSISTENT_DIR, Setup, State, VOLATILE_DIR},
    director::StateDir,
};

/// Opens the directory for the rules. Rules that the other default directory has, because the
/// controller was told otherwise before, are moved there.
///
/// # Errors
/// The system refuses.
pub(super) fn open_state(setup: &Setup) -> anyhow::Result<StateDir> {
    let directory = setup.state_dir();
    if setup.own_state_dir.is_none() {
        let former = match setup.state {
            State::Volatile => PERSISTENT_DIR,
            State::Persistent => VOLATILE_DIR,
        };
        StateDir::move_rules(Path::new(former), &directory)?;
    }
    let state = StateDir::open(&directory)?;
    Ok(if setup.state == State::Persistent { state.durable() } else { state })
}

/// Every directory that may hold rules of a director that was set up so.
pub(super) fn state_dirs(setup: &Setup) -> Vec<PathBuf> {
    match &setup.own_state_dir {
        Some(directory) => vec![directory.clone()],
        None => [VOLATILE_DIR, PERSISTENT_DIR].map(PathBuf::from).to_vec(),
    }
}
