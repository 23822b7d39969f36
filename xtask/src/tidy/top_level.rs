//! The top of the repository is read at a glance.

use std::collections::BTreeMap;

use super::{Violation, tree::Tree};

/// All that may stand there, beside dotfiles and licences.
const ALLOWED: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "lvs-ebpf",
    "lvs-common",
    "lvs-ctl",
    "xtask",
    "tests",
    "README.md",
    "CHANGELOG.md",
    "docs",
];

/// Every other name.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let top = |path: &str| path.split('/').next().unwrap_or(path).to_owned();
    // One violation a name, however many files are below it.
    let names: BTreeMap<_, _> = tree.files().map(|(path, _)| (top(path), path)).collect();
    let others = names.into_iter().filter(|(name, _)| !is_allowed(name));
    let message = |name| format!("`{name}` does not belong at the top of the repository");
    others.map(|(name, path)| Violation::new(path, 1, message(name))).collect()
}

fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name) || name.starts_with('.') || name.starts_with("LICENSE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_holds_what_it_should_and_no_more() {
        let tree = Tree::from([
            (".rustfmt.toml", ""),
            ("Cargo.toml", ""),
            ("LICENSE-MIT", ""),
            ("lvs-ctl/src/main.rs", ""),
            ("scripts/a.sh", ""),
            ("scripts/b.sh", ""),
        ]);
        let message = "`scripts` does not belong at the top of the repository";
        assert_eq!(check(&tree), [Violation::new("scripts/b.sh", 1, message)]);
    }
}
