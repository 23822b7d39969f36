//! The configuration file: what it may say, what it declares, and how the table differs from it.
//!
//! A file is used whole or not at all: [`Config::read`] refuses unknown keys and what contradicts
//! itself, and names line, column and key. What only a director can refuse, it refuses as one
//! request of all or nothing, and [`Config::blame`] finds the place in the file.
//!
//! The file owns the services that it declares ([`crate::model::Origin`]); services made by
//! commands are none of its business until it declares them.

#![forbid(unsafe_code)]

mod backend;
mod check;
mod checking;
mod difference;
mod doors;
mod file;
mod health;
mod hooks;
mod listen;
mod mistake;
mod place;
mod rules;
#[cfg(test)]
mod schema;
mod service;
mod setup;
mod switches;
mod words;

use std::{fs, io, path::Path};

use self::mistake::Fault;
pub use self::{
    backend::{ChecksumWord, FileBackend, MethodWord, TunnelWord},
    check::Checks,
    checking::FileChecking,
    difference::{Difference, Standing, Step, difference},
    doors::{Api, METRICS_MAX_SERIES, MetricsDoor},
    file::{CONNECTIONS_MAX, CONNECTIONS6_MAX, File, FileTimeouts, Mode, Socket, State},
    health::FileHealth,
    hooks::{Hooks, hook_steps},
    mistake::{ConfigError, Mistake},
    place::Key,
    rules::{Declared, Rules},
    service::{FileService, Mask},
    setup::{Overrides, PERSISTENT_DIR, Setup, VOLATILE_DIR},
    switches::{FileMark, FileTunable},
};
use crate::model::Timeouts;

/// Where the configuration is, unless told otherwise.
pub const DEFAULT_FILE: &str = "/etc/lvs/lvs.toml";

/// A configuration file that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What it says.
    pub file: File,
    /// What it declares.
    pub rules: Rules,
    name: String,
    text: String,
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, or it is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |why| ConfigError::Unreadable { path: path.to_owned(), why };
        let text = fs::read(path).map_err(unreadable)?;
        let text = String::from_utf8(text).map_err(|error| {
            unreadable(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
        })?;
        Ok(Self::parse(&path.display().to_string(), text)?)
    }

    /// Reads `text`, which mistakes call `name`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(name: &str, text: String) -> Result<Self, Mistake> {
        let file: File =
            toml::from_str(&text).map_err(|error| Mistake::refused(name, &text, &error))?;
        let rules = file.check().and_then(|()| Rules::of(&file));
        let rules = rules.map_err(|fault| fault.found(name, &text))?;
        Ok(Self { file, rules, name: name.to_owned(), text })
    }

    /// What is wrong with the value at `key`, as somebody else found out.
    #[must_use]
    pub fn blame(&self, key: &Key, message: &str) -> Mistake {
        Fault::new(key, message).found(&self.name, &self.text)
    }
}

/// The file that declares what stands: every service and mark rule, the timeouts, and the tunables
/// that are not as by default.
///
/// # Errors
/// TOML cannot say it.
pub fn written(standing: &Standing) -> Result<String, toml::ser::Error> {
    let services = standing.listing.services.iter().map(|entry| {
        let dests = entry.dests.iter().rev();
        let backends = dests.map(|entry| {
            let check = entry.health.checks.as_deref().map(Checks::new);
            FileBackend { check, backup: entry.health.backup, ..FileBackend::new(&entry.dest) }
        });
        FileService::new(&entry.service, &entry.health, backends.collect())
    });
    let tunables = standing.tunables.tunables.iter().filter(|entry| entry.value != entry.default);
    let Timeouts { tcp_s, tcp_fin_s, udp_s } = standing.timeouts;
    toml::to_string(&File {
        timeouts: FileTimeouts { tcp: Some(tcp_s), tcp_fin: Some(tcp_fin_s), udp: Some(udp_s) },
        tunables: tunables.map(|entry| (entry.name.clone(), FileTunable(entry.value))).collect(),
        marks: standing.marks.marks.iter().map(FileMark::new).collect(),
        services: services.collect(),
        ..File::default()
    })
}
