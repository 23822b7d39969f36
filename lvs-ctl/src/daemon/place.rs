//! The director's places in the file system: who may use the socket, where the rules are.

#![forbid(unsafe_code)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use nix::unistd::Group;

use crate::{
    config::{PERSISTENT_DIR, Setup, State, VOLATILE_DIR},
    director::StateDir,
};

/// Gives the socket to the group that was named, with the permissions that were named.
///
/// # Errors
/// There is no such group, or the system refuses.
pub(super) fn restrict(socket: &Path, setup: &Setup) -> anyhow::Result<()> {
    let shown = socket.display();
    if let Some(name) = &setup.group {
        let group = group(name)?;
        chown(socket, None, Some(group))
            .with_context(|| format!("cannot give {shown} to group {name}"))?;
    }
    fs::set_permissions(socket, fs::Permissions::from_mode(setup.permissions))
        .with_context(|| format!("cannot set the permissions of {shown}"))
}

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

fn group(name: &str) -> anyhow::Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    match Group::from_name(name).with_context(|| format!("cannot look up group {name}"))? {
        Some(group) => Ok(group.gid.as_raw()),
        None => bail!("there is no group {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_gets_the_group_and_the_permissions_that_were_named() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("lvs.sock");
        fs::write(&socket, "").unwrap();
        let own = nix::unistd::getegid().as_raw().to_string();
        let text = format!("[socket]\ngroup = \"{own}\"\nmode = \"0600\"");
        let config = crate::config::Config::parse("lvs.toml", text).unwrap();
        let mut setup = Setup::new(&crate::config::Overrides::default(), &config.file);
        restrict(&socket, &setup).unwrap();
        assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
        setup.group = Some("nosuchgroup".into());
        let refused = restrict(&socket, &setup).unwrap_err().to_string();
        assert_eq!(refused, "there is no group nosuchgroup");
    }
}
