//! A real server's side of LVS: what its host has to be told so that the director's packets are taken.
//!
//! | file | idea |
//! |---|---|
//! | [`setup`] | what a method asks of the host; pure |
//! | [`setting`] | a setting of the host, and a change of one |
//! | [`machine`] | settings as the kernel has them, by `/proc/sys` and `ip` |
//! | [`work`] | planning changes, making all or none, taking them back |
//! | [`record`] | what was changed, kept in a file until it is taken back |
//! | `verb` | the command line |
//!
//! No director runs here and none is asked.
#![forbid(unsafe_code)]

pub mod machine;
pub mod record;
pub mod setting;
pub mod setup;
mod verb;
pub mod work;

use std::{io, path::PathBuf};

use crate::dataplane::kernel::KernelError;

pub use verb::{Said, Verb};

/// Why a real server was not set up.
#[derive(Debug, thiserror::Error)]
pub enum RealServerError {
    /// Only root may.
    #[error("needs root")]
    NotRoot,
    /// An interface that is not there.
    #[error("there is no interface {0}")]
    NoInterface(String),
    /// An address that clients cannot connect to.
    #[error("{0} cannot be a VIP")]
    NoVip(std::net::IpAddr),
    /// Clients would find this host instead of the director.
    #[error(
        "{vip} is on {device} already, where it is answered for: take it off first (ip address del {vip} dev {device})"
    )]
    Elsewhere {
        /// The address.
        vip: std::net::IpAddr,
        /// Where it is.
        device: String,
    },
    /// The method has no use for an option, or lacks one.
    #[error("{0}")]
    Makes(&'static str),
    /// The kernel cannot.
    #[error(
        "this kernel has no {device}: there is no module {module} (`lvs-ctl realserver decap' takes packets out of tunnels without one)"
    )]
    NoModule {
        /// The device, or what else.
        device: String,
        /// What would have it.
        module: &'static str,
    },
    /// A command that is not installed.
    #[error("cannot run {0}: {1}")]
    Command(String, io::Error),
    /// A command that refused.
    #[error("`{0}': {1}")]
    Refused(String, String),
    /// A file.
    #[error("cannot {verb} {}: {source}", .path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// On which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A record of another version's.
    #[error("cannot read {}: {why}", .path.display())]
    Record {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The program that takes packets out of tunnels.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}
