//! `cargo xtask tidy`: the rules of this project that no compiler knows.
//!
//! A rule is a file with a function from the [`Tree`] to its violations, and a line in [`RULES`].

use std::fmt;

use anyhow::{Result, ensure};

use crate::{setup::Needs, verb::Verb, workspace};

mod abi;
mod aya;
mod code;
mod layers;
mod length;
mod links;
mod map_fields;
mod printing;
mod top_level;
mod tree;
mod unsafety;
mod whitespace;

use tree::Tree;

/// Finds every violation of one rule.
type Rule = fn(&Tree) -> Vec<Violation>;

/// Every rule by its name.
const RULES: &[(&str, Rule)] = &[
    ("layers", layers::check),
    ("aya", aya::check),
    ("unsafe", unsafety::check),
    ("printing", printing::check),
    ("map-fields", map_fields::check),
    ("abi", abi::check),
    ("whitespace", whitespace::check),
    ("length", length::check),
    ("top-level", top_level::check),
    ("links", links::check),
];

/// Check the project's own rules: layers, unsafe code, map layouts, files
///
/// Every violation is printed with its file and line and the rule it breaks. The rules are the
/// files of xtask/src/tidy.
#[derive(clap::Args)]
pub(crate) struct Tidy {}

impl Verb for Tidy {
    const NEEDS: Needs = Needs::Nothing;

    fn run(self) -> Result<()> {
        check()
    }
}

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Checks the working tree by every rule.
pub(crate) fn check() -> Result<()> {
    let tree = Tree::of_repository(workspace::root())?;
    let mut count = 0;
    for (name, rule) in RULES {
        for violation in rule(&tree) {
            println!("{violation} [{name}]");
            count += 1;
        }
    }
    ensure!(count == 0, "{count} violations of the project's rules");
    println!("tidy: {} files keep {} rules", tree.files().count(), RULES.len());
    Ok(())
}
