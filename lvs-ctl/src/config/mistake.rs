//! What is wrong with a configuration file, and where.

use std::{io, path::PathBuf};

use super::place::{self, Key};

/// A file that is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the host said.
        why: io::Error,
    },
    /// It is wrong somewhere.
    #[error(transparent)]
    Mistake(#[from] Mistake),
}

/// The first mistake of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {}{message}", prefix(key))]
pub struct Mistake {
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, characters.
    pub column: usize,
    /// Which value.
    pub key: Key,
    /// What is wrong with it, one line.
    pub message: String,
}

/// A mistake that does not know its place yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) key: Key,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(key: &Key, message: impl Into<String>) -> Self {
        Self { key: key.clone(), message: message.into() }
    }

    /// The mistake in the `text` of `file`.
    pub(super) fn found(self, file: &str, text: &str) -> Mistake {
        let (line, column) = place::position(text, place::offset_of(text, &self.key));
        let message = one_line(&self.message);
        Mistake { file: file.to_owned(), line, column, key: self.key, message }
    }
}

impl Mistake {
    /// What the parser refused.
    pub(super) fn refused(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let (line, column) = place::position(text, offset);
        let key = place::key_at(text, offset);
        // Some of its messages have lines of their own.
        let words = error.message().split_whitespace().collect::<Vec<_>>();
        let message = one_line(&words.join(" "));
        Self { file: file.to_owned(), line, column, key, message }
    }
}

fn prefix(key: &Key) -> String {
    if key.is_root() { String::new() } else { one_line(&format!("{key}: ")) }
}

/// Keys and values may contain anything; a line of words does not.
fn one_line(text: &str) -> String {
    let escaped = |char: char| {
        if char.is_control() { char.escape_default().to_string() } else { char.to_string() }
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
#[path = "mistake_tests.rs"]
mod tests;
