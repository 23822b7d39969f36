//! Why a verb did not do what it was asked: one line.

use crate::api::client::ClientError;

/// The line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure in these words.
    pub fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }

    /// What the controller said about `subject`.
    #[must_use]
    pub fn about(subject: &str, error: ClientError) -> Self {
        match error {
            ClientError::Problem(problem) => {
                let detail = problem.detail.map(|detail| format!(" ({detail})"));
                Self(format!("{subject}: {}{}", problem.message.trim(), detail.unwrap_or_default()))
            }
            error => Self::from(error),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::NotRunning { .. } => {
                Self(format!("{error}; start one with `lvs-ctl run --interface IF'"))
            }
            ClientError::Denied { .. } => {
                Self(format!("{error}; become root, or join the group that owns the socket"))
            }
            _ => Self(error.to_string()),
        }
    }
}
