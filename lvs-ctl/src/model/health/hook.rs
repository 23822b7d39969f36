//! A program that is told what health changes.

use serde::{Deserialize, Serialize};

use super::{Span, WrongCheck};

/// A program that is run whenever health changes something. What it is told stands in its environment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeHook {
    /// The program, an absolute path, and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// It is killed, with all that it started, after this time; `10s` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Changes that it is run for; all if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<Occasion>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Occasion {
    /// A real server is up again.
    Up,
    /// A real server went down.
    Down,
    /// A real server gets another weight: a slow start, a check's wish, a quorum.
    Weight,
    /// It was found out why a real server is down.
    Cause,
    /// A service is on another side of its quorum.
    Quorum,
}

impl ChangeHook {
    /// How long it may take.
    #[must_use]
    pub fn limit(&self) -> Span {
        self.timeout.unwrap_or(Span::seconds(10))
    }

    /// Whether it is run for this.
    #[must_use]
    pub fn wants(&self, occasion: Occasion) -> bool {
        self.on.is_empty() || self.on.contains(&occasion)
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first field that makes none.
    pub fn judge(&self) -> Result<(), WrongCheck> {
        match self.command.first() {
            None => return Err(WrongCheck::new("command", "no program is named")),
            Some(program) if !program.starts_with('/') => {
                return Err(WrongCheck::new("command", format!("`{program}' is no absolute path")));
            }
            Some(_) => (),
        }
        if self.command.iter().any(|word| word.contains('\0')) {
            return Err(WrongCheck::new("command", "a word has a zero byte"));
        }
        if self.limit().is_zero() {
            return Err(WrongCheck::new("timeout", "no program is that fast"));
        }
        Ok(())
    }
}

impl Occasion {
    /// As the program is told.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Weight => "weight",
            Self::Cause => "cause",
            Self::Quorum => "quorum",
        }
    }
}
