//! What was changed, kept in a file until it is taken back. Like the changes it is gone after a reboot.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{RealServerError, setting::Change, setup::Setup};

/// The file, unless another is named.
pub const DEFAULT_FILE: &str = "/run/lvs/realserver.json";

/// What this host was set up for, and the changes that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// In the order they were asked for.
    pub setups: Vec<Setup>,
    /// In the order they were made.
    pub changes: Vec<Change>,
}

/// A record's place.
#[derive(Clone, Debug)]
pub struct RecordFile(PathBuf);

impl RecordFile {
    /// At this path.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// What it holds; nothing if it is not there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> Result<Record, RealServerError> {
        let text = match fs::read_to_string(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Record::default()),
            text => text.map_err(|source| self.file("read", source))?,
        };
        serde_json::from_str(&text).map_err(|error| RealServerError::Record {
            path: self.0.clone(),
            why: error.to_string(),
        })
    }

    /// Replaces it, at once; an empty record is no file.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, record: &Record) -> Result<(), RealServerError> {
        if *record == Record::default() {
            return match fs::remove_file(&self.0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(self.file("remove", error))
                }
                _ => Ok(()),
            };
        }
        let text = serde_json::to_string_pretty(record).map_err(|error| {
            RealServerError::Record { path: self.0.clone(), why: error.to_string() }
        })?;
        if let Some(directory) = self.0.parent() {
            fs::create_dir_all(directory).map_err(|source| self.file("make", source))?;
        }
        let beside = self.0.with_extension("new");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, &self.0))
            .map_err(|source| self.file("write", source))
    }

    fn file(&self, verb: &'static str, source: io::Error) -> RealServerError {
        RealServerError::File { verb, path: self.0.clone(), source }
    }
}
