//! `accept_local` of the director's interfaces: set while it directs, and as it was afterwards.
//!
//! Replies of NAT whose neighbour is not known yet are left to the stack, with a source that is an
//! address of this machine: martians to it, otherwise.

#![forbid(unsafe_code)]

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use crate::netlink::sysctl::{Saved, Sysctl};

/// Below the state directory: interfaces, and what their setting was; a line each.
pub(super) const FILE: &str = "accept_local";

/// Sets it, and notes what it was.
pub(super) fn accept(sysctl: &Sysctl, interface: &str, state_dir: &Path) {
    match sysctl.accept_local(interface) {
        Ok(None) => {}
        Ok(Some(saved)) => {
            tracing::info!(interface, "set net.ipv4.conf.{interface}.accept_local=1");
            if let Err(error) = note(&saved, state_dir) {
                tracing::warn!(interface, %error, "it will stay set after `lvs-ctl detach`");
            }
        }
        Err(error) => tracing::warn!(interface, %error, "cannot set accept_local"),
    }
}

/// Puts back what was noted.
///
/// # Errors
/// The system's, of the file or a setting.
pub(super) fn restore(sysctl: &Sysctl, state_dir: &Path) -> io::Result<()> {
    let noted = match fs::read_to_string(state_dir.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        noted => noted?,
    };
    noted.lines().filter_map(|line| line.split_once(' ')).try_for_each(|(interface, value)| {
        sysctl.restore(&Saved { interface: interface.into(), value: value.into() })
    })
}

fn note(saved: &Saved, state_dir: &Path) -> io::Result<()> {
    fs::create_dir_all(state_dir)?;
    let mut file = OpenOptions::new().create(true).append(true).open(state_dir.join(FILE))?;
    writeln!(file, "{} {}", saved.interface, saved.value)
}
