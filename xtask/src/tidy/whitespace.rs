//! No blanks at the ends of lines, no missing end of the last line.

use std::path::Path;

use super::{Violation, tree::Tree};

/// The kinds of files that people write. Recordings keep the blanks they came with.
const WRITTEN: &[&str] = &["rs", "toml", "md", "yml", "sh"];

/// Every line that ends in a blank, and every last line that does not end.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let extension = |path: &str| Path::new(path).extension()?.to_str().map(str::to_owned);
    let is_written = |path: &str| extension(path).is_some_and(|it| WRITTEN.contains(&it.as_str()));
    let mut violations = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| is_written(path)) {
        let trailing = text.lines().zip(1..).filter(|(line, _)| line.ends_with([' ', '\t', '\r']));
        violations.extend(trailing.map(|(_, n)| Violation::new(path, n, "blanks at the end")));
        if !text.is_empty() && !text.ends_with('\n') {
            violations.push(Violation::new(path, text.lines().count(), "the last line has no end"));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_at_the_end_of_a_line_are_a_violation() {
        let tree = Tree::from([
            ("a.rs", "fn f() {} \nfn g() {}\n"),
            ("b.md", "no end"),
            ("recording.txt", "kept \n"),
        ]);
        assert_eq!(
            check(&tree),
            [
                Violation::new("a.rs", 1, "blanks at the end"),
                Violation::new("b.md", 1, "the last line has no end"),
            ]
        );
    }
}
