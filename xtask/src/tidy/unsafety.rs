//! `unsafe` stands in a few files only.

use super::{Violation, code, tree::Tree};

/// The files that may hold it, and the directories (with a `/` at the end).
const ALLOWED: &[&str] = &[
    // the packet's and the maps' raw pointers, helpers, atomic instructions, entry points
    "lvs-ebpf/src/kernel/",
    "lvs-ebpf/src/main.rs",
    // the same of the real servers' program, and of the bench's
    "lvs-ebpf/src/decap/",
    "lvs-ebpf/src/bench/",
    // the connections' mmap
    "lvs-ctl/src/dataplane/kernel/",
    // the macros that make a type a header or a map value
    "lvs-common/src/wire/mod.rs",
    "lvs-common/src/map/mod.rs",
    // namespaces and raw sockets
    "tests/src/",
];

/// Every other place.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let elsewhere = tree.code("").filter(|(path, _)| !is_allowed(path));
    elsewhere
        .flat_map(|(path, code)| {
            let lines: Vec<_> = code::lines_with_word(&code, "unsafe").collect();
            lines.into_iter().map(move |line| Violation::new(path, line, "`unsafe` has no place here"))
        })
        .collect()
}

fn is_allowed(path: &str) -> bool {
    let below = |allowed: &&str| allowed.ends_with('/') && path.starts_with(*allowed);
    ALLOWED.iter().any(|allowed| *allowed == path || below(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_stays_in_its_files() {
        let tree = Tree::from([
            ("lvs-ebpf/src/kernel/mod.rs", "unsafe { *pointer }\n"),
            ("lvs-ctl/src/dataplane/kernel/conntable.rs", "unsafe { mmap() }\n"),
            ("lvs-ebpf/src/parse.rs", "#![forbid(unsafe_code)]\n// unsafe\nunsafe { *pointer }\n"),
        ]);
        let expected = Violation::new("lvs-ebpf/src/parse.rs", 3, "`unsafe` has no place here");
        assert_eq!(check(&tree), [expected]);
    }
}
