//! One idea a file: a long one holds two.

use super::{Violation, tree::Tree};

/// More lines than this are a defect.
const LIMIT: usize = 400;

/// Every longer Rust file.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let code = tree.code("").filter(|(path, _)| !path.starts_with("tests/data/"));
    let lengths = code.map(|(path, code)| (path, code.lines().count()));
    let message = |lines| format!("{lines} lines, more than {LIMIT}: part it");
    let long = lengths.filter(|&(_, lines)| lines > LIMIT);
    long.map(|(path, lines)| Violation::new(path, LIMIT + 1, message(lines))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_400_lines_but_no_more() {
        let (full, long) = ("\n".repeat(400), "\n".repeat(401));
        let tree = [("full.rs", full.as_str()), ("long.rs", &long), ("tests/data/all.rs", &long)];
        let expected = Violation::new("long.rs", 401, "401 lines, more than 400: part it");
        assert_eq!(check(&Tree::from(tree)), [expected]);
    }
}
