//! How ipvsadm itself refuses a command line, before the kernel is asked.

use super::popt::PoptError;

/// Why a command line is not carried out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A message of its own: exit 2, ends a restore.
    #[error("{0}")]
    Usage(String),
    /// No command in the first place: exit 255, ends a restore.
    #[error("Try `ipvsadm -h' or 'ipvsadm --help' for more information.")]
    TryHelp,
    /// What popt does not understand: exit 255, a restore goes on.
    #[error(transparent)]
    Popt(#[from] PoptError),
}

impl Refusal {
    /// The exit code.
    pub(super) fn exit(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::TryHelp | Self::Popt(_) => 255,
        }
    }

    /// Whether a restore ends here.
    pub(super) fn ends_restore(&self) -> bool {
        !matches!(self, Self::Popt(_))
    }
}

/// A refusal in ipvsadm's words.
pub(super) fn usage<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Usage(message.into()))
}
