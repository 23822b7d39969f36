//! Recordings in files, and which kind each is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{cli, counters, sched, state};

/// One recorded case.
pub(crate) struct Case {
    /// Folder and file: `sched/rr`.
    pub(crate) group: String,
    /// The case's own name.
    pub(crate) name: String,
    /// What was recorded.
    pub(crate) recording: Recording,
}

/// The kinds, by what a case holds.
pub(crate) enum Recording {
    /// Events, and which real server each connection reached.
    Sched(sched::Recorded),
    /// Steps, and what they did to connections.
    State(state::Recorded),
    /// Traffic, and what was counted.
    Counters(counters::Recorded),
    /// Command lines, and what they said.
    Cli(cli::Recorded),
    /// It cannot be read, and why.
    Unread(String),
}

impl Case {
    /// As it is reported.
    pub(crate) fn title(&self) -> String {
        format!("{}/{}", self.group, self.name)
    }

    fn new(group: &str, value: Value) -> Self {
        let name = value["name"].as_str().unwrap_or("(without a name)").to_owned();
        let recording = if value.get("events").is_some() {
            read(value, Recording::Sched)
        } else if value.get("proto").is_some() {
            read(value, Recording::State)
        } else if value.get("traffic").is_some() {
            read(value, Recording::Counters)
        } else if value.get("steps").is_some() {
            read(value, Recording::Cli)
        } else {
            Recording::Unread("it is of no known kind".to_owned())
        };
        Self { group: group.to_owned(), name, recording }
    }
}

/// The project's own.
pub(crate) fn own() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let directories = [
        "lvs-common/testdata/oracle/sched",
        "tests/testdata/oracle/state",
        "lvs-ctl/testdata/oracle/cli",
        "lvs-ctl/testdata/oracle/probes",
    ];
    directories.map(|directory| root.join(directory)).into()
}

/// Every case below the directories, file by file.
///
/// # Errors
/// There is none, or a file is not a list of cases.
pub(crate) fn below(directories: &[PathBuf]) -> Result<Vec<Case>> {
    let mut files = Vec::new();
    for directory in directories {
        collect(directory, &mut files)?;
    }
    files.sort();
    let mut cases = Vec::new();
    for file in &files {
        let context = || format!("{} is no list of recordings", file.display());
        let list: Vec<Value> = serde_json::from_slice(&fs::read(file)?).with_context(context)?;
        let group = group(file);
        cases.extend(list.into_iter().map(|value| Case::new(&group, value)));
    }
    ensure!(!cases.is_empty(), "no recordings there");
    Ok(cases)
}

fn collect(at: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if at.is_dir() {
        for entry in fs::read_dir(at)? {
            collect(&entry?.path(), files)?;
        }
    } else if at.extension().is_some_and(|extension| extension == "json") {
        files.push(at.to_owned());
    } else {
        ensure!(at.exists(), "there is no {}", at.display());
    }
    Ok(())
}

fn group(file: &Path) -> String {
    let text =
        |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    format!("{}/{}", text(file.parent().and_then(Path::file_name)), text(file.file_stem()))
}

fn read<T: DeserializeOwned>(value: Value, kind: fn(T) -> Recording) -> Recording {
    match serde_json::from_value(value) {
        Ok(recorded) => kind(recorded),
        Err(error) => Recording::Unread(format!("it cannot be read: {error}")),
    }
}
