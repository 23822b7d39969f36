//! aya is named in one directory of the controller only: everything else asks a trait.

use super::{Violation, code, tree::Tree};

/// Where it may be named.
const HOME: &str = "lvs-ctl/src/dataplane/kernel";

/// Every `aya::` of the controller outside its home, and in lvs-common all but `aya::Pod`.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, code) in tree.code("lvs-") {
        if path.starts_with(HOME) {
            continue;
        }
        let may_be_pod = path.starts_with("lvs-common/");
        for at in code::words_at(&code, "aya::") {
            if may_be_pod && code[at..].starts_with("aya::Pod") {
                continue;
            }
            let message = format!("`aya` outside {HOME}");
            violations.push(Violation::new(path, code::line_of(&code, at), message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aya_stays_at_home() {
        let tree = Tree::from([
            ("lvs-ctl/src/dataplane/kernel/load.rs", "use aya::Ebpf;\n"),
            ("lvs-ctl/src/dataplane/memory.rs", "// aya::Ebpf\nuse aya::Ebpf;\n"),
            ("lvs-common/src/map/mod.rs", "unsafe impl aya::Pod for T {}\n"),
            ("lvs-common/src/lib.rs", "use aya::maps::Array;\n"),
            ("lvs-ebpf/src/main.rs", "use aya_ebpf::macros::xdp;\n"),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|it| (it.path, it.line)).collect();
        let expected = [("lvs-common/src/lib.rs", 1), ("lvs-ctl/src/dataplane/memory.rs", 2)];
        assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
    }
}
