//! The words of a command line, taken apart exactly as popt 1.19 does.
//!
//! Long names are exact, short ones bundle; a value stands in the same word (`-srr`, `-s=rr`,
//! `--scheduler=rr`) or is the next one; `--` ends the options; words that are no options are
//! kept for later.

use super::option::{Opt, SPECS, Spec, Value};

/// One option with its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Given<'a> {
    pub(super) opt: Opt,
    pub(super) value: Option<&'a str>,
}

/// What popt refuses; the text is the message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PoptError {
    #[error("{0}: unknown option")]
    Unknown(String),
    #[error("{0}: missing argument")]
    MissingArgument(String),
    #[error("{0}: option does not take an argument")]
    UnwantedArgument(String),
}

/// Takes one command line apart.
#[derive(Debug)]
pub(super) struct Words<'a> {
    all: &'a [String],
    next: usize,
    /// What is left of a word of bundled short options.
    bundle: &'a str,
    options_ended: bool,
    leftover: Vec<&'a str>,
}

impl<'a> Words<'a> {
    /// `words` are those after the program's name.
    pub(super) fn new(words: &'a [String]) -> Self {
        Self { all: words, next: 0, bundle: "", options_ended: false, leftover: Vec::new() }
    }

    /// The next option, if there is one.
    pub(super) fn next_option(&mut self) -> Result<Option<Given<'a>>, PoptError> {
        loop {
            if !self.bundle.is_empty() {
                return self.short().map(Some);
            }
            let Some(word) = self.all.get(self.next) else { return Ok(None) };
            self.next += 1;
            if self.options_ended || !word.starts_with('-') || word == "-" {
                self.leftover.push(word);
            } else if word == "--" {
                self.options_ended = true;
            } else if let Some(long) = word.strip_prefix("--") {
                return self.long(long).map(Some);
            } else {
                self.bundle = &word[1..];
            }
        }
    }

    /// The word that was read last: what messages call a wrong option.
    pub(super) fn current(&self) -> &'a str {
        self.next.checked_sub(1).map_or("", |index| &self.all[index])
    }

    /// The words that were no options, in order.
    pub(super) fn into_leftover(self) -> Vec<&'a str> {
        self.leftover
    }

    fn long(&mut self, text: &'a str) -> Result<Given<'a>, PoptError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let spec = SPECS.iter().find(|spec| spec.long == name);
        self.given(spec.ok_or_else(|| self.unknown())?, value)
    }

    fn short(&mut self) -> Result<Given<'a>, PoptError> {
        let mut rest = self.bundle.chars();
        let letter = rest.next();
        self.bundle = rest.as_str();
        let spec = SPECS.iter().find(|spec| spec.short == letter);
        let spec = spec.ok_or_else(|| self.unknown())?;
        if spec.value == Value::None {
            let value = self.bundle.strip_prefix('=');
            return self.given(spec, value);
        }
        let value = match std::mem::take(&mut self.bundle) {
            "" => None,
            attached => Some(attached.strip_prefix('=').unwrap_or(attached)),
        };
        self.given(spec, value)
    }

    fn given(&mut self, spec: &Spec, attached: Option<&'a str>) -> Result<Given<'a>, PoptError> {
        let value = match (spec.value, attached) {
            (Value::None, Some(_)) => {
                return Err(PoptError::UnwantedArgument(self.current().into()));
            }
            (Value::None, None) => None,
            (_, Some(value)) => Some(value),
            (Value::Optional, None) => self.next_word(|word| !word.starts_with('-')),
            (Value::Required, None) => {
                let value = self.next_word(|_| true);
                Some(value.ok_or_else(|| PoptError::MissingArgument(self.current().into()))?)
            }
        };
        Ok(Given { opt: spec.opt, value })
    }

    fn next_word(&mut self, wanted: impl Fn(&str) -> bool) -> Option<&'a str> {
        let word = self.all.get(self.next).filter(|word| wanted(word))?;
        self.next += 1;
        Some(word)
    }

    fn unknown(&self) -> PoptError {
        PoptError::Unknown(self.current().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Options as `name=value`, then leftovers in brackets, then the error.
    fn check(line: &str, expected: &str) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let mut lexer = Words::new(&words);
        let mut seen = Vec::new();
        let error = loop {
            match lexer.next_option() {
                Ok(Some(given)) => {
                    let spec = SPECS.iter().find(|spec| spec.opt == given.opt).unwrap();
                    seen.push(given.value.map_or_else(
                        || spec.long.to_owned(),
                        |value| format!("{}={value}", spec.long),
                    ));
                }
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        seen.extend(lexer.into_leftover().iter().map(|word| format!("[{word}]")));
        seen.extend(error);
        assert_eq!(seen.join(" "), expected, "{line}");
    }

    #[test]
    fn values_stand_in_the_word_or_after_it() {
        check("-srr", "scheduler=rr");
        check("-s=rr", "scheduler=rr");
        check("-s rr", "scheduler=rr");
        check("--scheduler=rr", "scheduler=rr");
        check("--scheduler rr", "scheduler=rr");
        check("-s= rr", "scheduler= [rr]");
        check("-s -p", "scheduler=-p");
        check("-s", "-s: missing argument");
        check("-Lt", "list -Lt: missing argument");
    }

    #[test]
    fn an_optional_value_is_no_option() {
        check("-p 60", "persistent=60");
        check("-p60", "persistent=60");
        check("-p -s rr", "persistent scheduler=rr");
        check("-p - 5", "persistent [-] [5]");
        check("-op 5", "ops persistent=5");
        check("-p", "persistent");
    }

    #[test]
    fn bundles_end_where_a_value_begins() {
        check("-Lnc", "list numeric connection");
        check("-stats", "scheduler=tats");
        check("-Ln5", "list numeric -Ln5: unknown option");
        check("-Ln=5", "list -Ln=5: option does not take an argument");
        check("-Ln=", "list -Ln=: option does not take an argument");
    }

    #[test]
    fn long_names_are_exact() {
        check("--stat", "--stat: unknown option");
        check("--stats=", "--stats=: option does not take an argument");
        check("--=5", "--=5: unknown option");
    }

    #[test]
    fn two_dashes_end_the_options() {
        check("-L -- -n foo", "list [-n] [foo]");
        check("foo -L bar", "list [foo] [bar]");
    }
}
