//! Ports and addresses in map values have their byte order in their type.

use super::{Violation, tree::Tree};

const MAPS: &str = "lvs-common/src/map/";

/// Every field of a struct below `map/` named like a port or an address, of a bare integer type.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, code) in tree.code(MAPS) {
        let mut in_struct = false;
        for (line, number) in code.lines().map(str::trim).zip(1..) {
            if line == "}" {
                in_struct = false;
            } else if line.ends_with('{') && line.split(' ').any(|word| word == "struct") {
                in_struct = true;
            } else if in_struct && let Some(field) = bare_field(line) {
                let message = format!("`{field}` is in network order: make it a Be16 or Be32");
                violations.push(Violation::new(path, number, message));
            }
        }
    }
    violations
}

fn bare_field(line: &str) -> Option<&str> {
    let (left, kind) = line.split_once(": ")?;
    let name = left.rsplit(' ').next()?;
    let bare = ["u16", "u32"].iter().any(|bare| kind.trim_end_matches(',') == *bare);
    (bare && (name.ends_with("port") || name.ends_with("addr"))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_port_or_address_in_a_map_value_is_a_violation() {
        let source = "pub struct ServiceKey {\n    pub vport: u16,\n    pub vip_addr: u32,\n    \
                      pub port: Be16,\n    pub weight: u16,\n}\nfn f(\n    port: u16,\n) {}\n";
        let tree = Tree::from([
            ("lvs-common/src/map/service.rs", source),
            ("lvs-common/src/net/addr.rs", "struct Endpoint {\n    port: u16,\n}\n"),
        ]);
        let lines: Vec<_> = check(&tree).into_iter().map(|it| it.line).collect();
        assert_eq!(lines, [2, 3]);
    }
}
