//! Only the command line prints: what is a library returns text, what is a daemon logs.

use super::{Violation, code, tree::Tree};

/// Where printing is the work.
const ALLOWED: &[&str] = &["lvs-ctl/src/cli/", "lvs-ctl/src/main.rs"];

/// Every `print!` and `println!` elsewhere in the product.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let crates = ["lvs-common/src/", "lvs-ebpf/src/", "lvs-ctl/src/"];
    let code = crates.into_iter().flat_map(|directory| tree.code(directory));
    let elsewhere = code.filter(|(path, _)| !ALLOWED.iter().any(|own| path.starts_with(own)));
    elsewhere
        .flat_map(|(path, code)| {
            let at = ["print!", "println!"].map(|name| code::words_at(&code, name).collect::<Vec<_>>());
            let lines = at.concat().into_iter().map(move |at| code::line_of(&code, at));
            lines.map(move |line| Violation::new(path, line, "only the command line prints"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_is_for_the_command_line() {
        let tree = Tree::from([
            ("lvs-ctl/src/cli/render.rs", "println!(\"table\");\n"),
            ("lvs-ctl/src/main.rs", "print!(\"table\");\n"),
            ("lvs-ctl/src/director/mod.rs", "eprintln!(\"a\");\nprintln!(\"println!\");\n"),
        ]);
        let path = "lvs-ctl/src/director/mod.rs";
        assert_eq!(check(&tree), [Violation::new(path, 2, "only the command line prints")]);
    }
}
