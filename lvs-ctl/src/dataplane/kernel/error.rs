//! What can go wrong with the kernel.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use aya::{EbpfError, programs::ProgramError};

use super::attach::Hook;

/// The kernel's data plane could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Pins need a bpffs.
    #[error("{} is not on a bpffs (mount -t bpf bpf DIRECTORY makes one)", .path.display())]
    NotBpffs {
        /// Where they were to be.
        path: PathBuf,
    },
    /// Pinned things that another program or version made.
    #[error("{} is not a map of this version: {why} (remove it with `lvs-ctl detach` of the version that made it)", .path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// How it differs.
        why: String,
    },
    /// A file or directory.
    #[error("cannot {verb} {}: {source}", .path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// On which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A system call.
    #[error("{call} {object}: {source}")]
    Call {
        /// Which.
        call: &'static str,
        /// On what.
        object: String,
        /// What the system said.
        source: io::Error,
    },
    /// The program or its maps.
    #[error("the kernel refused the program: {0}")]
    Load(String),
    /// An interface.
    #[error("cannot attach to {interface} ({} XDP): {why}", .hook.name())]
    Attach {
        /// Which.
        interface: String,
        /// Where.
        hook: Hook,
        /// Why not.
        why: String,
    },
    /// A real server's interface.
    #[error("cannot attach to {interface} (tc ingress): {why}")]
    Ingress {
        /// Which.
        interface: String,
        /// Why not.
        why: String,
    },
    /// The object is not of this build.
    #[error("the object has no {0}")]
    Missing(&'static str),
    /// The kernel's clock.
    #[error("a jiffy of {0:?} fits no kernel")]
    Clock(Duration),
}

impl KernelError {
    pub(super) fn foreign(path: &Path, why: impl fmt::Display) -> Self {
        Self::Foreign { path: path.to_owned(), why: why.to_string() }
    }

    pub(super) fn file(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { verb, path: path.to_owned(), source }
    }

    pub(super) fn call(call: &'static str, object: &str, source: io::Error) -> Self {
        Self::Call { call, object: object.to_owned(), source }
    }

    pub(super) fn load(error: &EbpfError) -> Self {
        Self::Load(chain(error))
    }

    pub(super) fn program(error: &ProgramError) -> Self {
        Self::Load(chain(error))
    }

    pub(super) fn attach(interface: &str, hook: Hook, error: &ProgramError) -> Self {
        Self::Attach { interface: interface.to_owned(), hook, why: chain(error) }
    }

    pub(super) fn ingress(interface: &str, error: &ProgramError) -> Self {
        Self::Ingress { interface: interface.to_owned(), why: chain(error) }
    }
}

/// An error with its causes, in one line, without the verifier's log.
fn chain(error: &dyn Error) -> String {
    let mut text = first_line(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = first_line(error);
        if !text.contains(&line) {
            text = format!("{text}: {line}");
        }
        cause = error.source();
    }
    text
}

fn first_line(error: &dyn Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
