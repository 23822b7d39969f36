//! One lab: a number that tells it from every other one on the machine, a directory, a command log.
#![forbid(unsafe_code)]

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};

use crate::residue::{self, BPFFS, LABS_DIR, Residue};

/// A lab's number, unique on this machine: shown as `<pid>-<counter>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    pid: u32,
    counter: u32,
}

impl Number {
    fn next() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        Self { pid: process::id(), counter: COUNTER.fetch_add(1, Ordering::Relaxed) }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.pid, self.counter)
    }
}

/// What all namespaces of one topology share. Its directory goes when the last of them is dropped.
#[derive(Debug)]
pub struct Lab {
    number: Number,
    directory: PathBuf,
    commands: Mutex<Vec<String>>,
}

impl Lab {
    /// A new lab with an empty directory.
    ///
    /// # Errors
    ///
    /// When the process is not root, or the directory cannot be made.
    pub fn new() -> Result<Arc<Self>> {
        let number = Number::next();
        let directory = Path::new(LABS_DIR).join(number.to_string());
        residue::make(Residue::Directory(directory.clone()), || {
            fs::create_dir_all(&directory)
                .with_context(|| format!("making the lab's directory {}", directory.display()))
        })?;
        Ok(Arc::new(Self { number, directory, commands: Mutex::default() }))
    }

    /// What names of this lab's namespaces contain.
    #[must_use]
    pub fn number(&self) -> Number {
        self.number
    }

    /// Where logs, sockets and state of this lab lie; under `/run`, so short enough for a socket.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Mounts a BPF file system of the lab's own and returns where. All that is pinned in it, links
    /// included, goes with the lab.
    pub fn mount_bpffs(&self) -> Result<PathBuf> {
        let path = self.directory.join(BPFFS);
        if !path.exists() {
            fs::create_dir(&path)?;
            mount(Some("bpf"), &path, Some("bpf"), MsFlags::empty(), None::<&str>)
                .with_context(|| format!("mounting a BPF file system at {}", path.display()))?;
        }
        Ok(path)
    }

    /// Adds a line to the command log.
    pub fn note(&self, line: impl Into<String>) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    /// The commands run so far, one a line, each with the host it ran on.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Err(error) = residue::remove(&Residue::Directory(self.directory.clone())) {
            eprintln!("lab: {error:#}");
        }
    }
}
