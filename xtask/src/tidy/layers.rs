//! Who may use whom in the controller: downward only, siblings never.

use super::{
    Violation,
    code::{self, is_word},
    tree::Tree,
};

/// A module of `lvs-ctl/src` and the paths below `crate::` that it may name.
struct Module {
    name: &'static str,
    may_use: &'static [&'static str],
    /// Exceptions from `may_use`.
    never: &'static [&'static str],
}

/// The layers from the bottom up.
const MODULES: &[Module] = &[
    // 1: pure, the operator's words
    module("model", &[]),
    // 2: pure, from rules to map contents
    module("plan", &["model"]),
    // 3: the adapters of the kernel
    module("dataplane", &["model", "plan"]),
    module("netlink", &["model"]),
    // 4: the one owner of the rules; knows the adapters as traits only
    Module {
        name: "director",
        may_use: &["model", "plan", "dataplane", "netlink"],
        never: &["dataplane::kernel", "netlink::rtnetlink"],
    },
    // 5: the configuration file
    module(
        "config",
        &[
            "model",
            "director::Listing",
            "director::ServiceEntry",
            "director::DestEntry",
            "director::TunableListing",
            "director::MarkListing",
        ],
    ),
    // 5: words to the service manager; its tests hold a data plane up
    module("notify", &["model", "director", "dataplane::memory"]),
    // 6: what goes on by itself; each with an adapter of its own
    module("health", &["model", "director"]),
    module("probe", &["model", "director", "health::ways", "dataplane::kernel::probing"]),
    module("resolve", &["model", "director", "netlink::NextHop", "netlink::Report", "netlink::Resolution", "netlink::Resolver"]),
    module("held", &["dataplane::early"]),
    module("reload", &["config", "director", "notify"]),
    module("estimator", &["model", "director::Handle", "director::handle"]),
    module("listing", &["model", "director::Handle", "director::handle"]),
    module("sweep", &["model", "director::Handle", "director::handle"]),
    module("metrics", &["model", "director"]),
    // 7: what others see; of layer 6 its snapshots
    module("api", &["model", "director", "estimator", "listing", "metrics", "config::Step", "reload"]),
    // 8: the operator's hands; clients of the API
    module("cli", &["model", "config", "api::types", "api::client"]),
    module("tui", &["model::text", "api::types", "api::client"]),
    // 9: the manual's pages; its tests read the example
    module("manual", &["cli::ipvsadm", "config::Config"]),
    // 9: a real server's host, without a director
    module("realserver", &["dataplane::kernel", "cli::table"]),
    // 9: where the concrete types meet
    Module { name: "daemon", may_use: &["*"], never: &["cli", "tui"] },
];

/// Files that belong to no module.
const OUTSIDE: &[&str] = &["lib.rs", "main.rs"];

const SOURCES: &str = "lvs-ctl/src/";

/// Every `crate::…` that the table does not allow, and every module that it does not know.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, code) in tree.code(SOURCES) {
        let file = &path[SOURCES.len()..];
        if OUTSIDE.contains(&file) {
            continue;
        }
        let name = file.split(['/', '.']).next().unwrap_or(file);
        let Some(module) = MODULES.iter().find(|module| module.name == name) else {
            let message = format!("`{name}` has no layer: give it one in xtask/src/tidy/layers.rs");
            violations.push(Violation::new(path, 1, message));
            continue;
        };
        for (used, line) in used_paths(&code) {
            if !module.may_use(&used) {
                let message = format!("`{name}` may not use `crate::{used}`");
                violations.push(Violation::new(path, line, message));
            }
        }
    }
    violations
}

impl Module {
    fn may_use(&self, path: &str) -> bool {
        let below = |prefix: &&str| {
            let rest = path.strip_prefix(*prefix);
            *prefix == "*" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let own = below(&self.name);
        own || self.may_use.iter().any(below) && !self.never.iter().any(below)
    }
}

const fn module(name: &'static str, may_use: &'static [&'static str]) -> Module {
    Module { name, may_use, never: &[] }
}

/// What is named after `crate::`, each branch of a nested `use` by itself, and the line it begins on.
fn used_paths(code: &str) -> Vec<(String, usize)> {
    let mut paths = Vec::new();
    for at in code::words_at(code, "crate::") {
        let mut branches = Vec::new();
        branch(&code[at + "crate::".len()..], "", &mut branches);
        let line = code::line_of(code, at);
        paths.extend(branches.into_iter().map(|path| (path, line)));
    }
    paths
}

/// Reads one branch of a `use` tree, and returns what comes after it.
fn branch<'a>(text: &'a str, prefix: &str, paths: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut inside) = text.strip_prefix('{') {
        loop {
            inside = inside.trim_start();
            if let Some(rest) = inside.strip_prefix('}') {
                return rest;
            }
            inside = branch(inside, prefix, paths);
            let Some(end) = inside.find([',', '}']) else { return inside };
            inside = inside[end..].trim_start_matches(',');
        }
    }
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let path = format!("{prefix}{word}");
    match rest.strip_prefix("::") {
        Some(deeper) if !deeper.starts_with(['<', '*']) => {
            branch(deeper, &format!("{path}::"), paths)
        }
        _ => {
            paths.push(path);
            rest
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downward_is_allowed_and_upward_is_not() {
        let up = [("lvs-ctl/src/model/mod.rs", "//! crate::plan\n\nuse crate::plan::compile;\n")];
        let down = [("lvs-ctl/src/plan/mod.rs", "use crate::{model::Table, plan::slots};\n")];
        assert_eq!(
            check(&Tree::from(up)),
            [Violation::new(up[0].0, 3, "`model` may not use `crate::plan::compile`")]
        );
        assert_eq!(check(&Tree::from(down)), []);
    }

    #[test]
    fn the_director_knows_the_trait_but_not_the_kernel() {
        let source = "use crate::{\n    dataplane::{DataPlane, kernel::Kernel, memory},\n};\n";
        assert_eq!(
            check(&Tree::from([("lvs-ctl/src/director/mod.rs", source)])),
            [Violation::new(
                "lvs-ctl/src/director/mod.rs",
                1,
                "`director` may not use `crate::dataplane::kernel::Kernel`"
            )]
        );
    }

    #[test]
    fn a_path_in_the_code_counts_as_a_use() {
        let source = "fn f() -> crate::director::Director { crate::api::types::new::<u8>() }\n";
        assert_eq!(check(&Tree::from([("lvs-ctl/src/cli/service.rs", source)])).len(), 1);
    }

    #[test]
    fn every_branch_of_a_nested_use_is_seen() {
        let paths = used_paths("use crate::{a::{self, b::c as d}, e::*, f};");
        let paths: Vec<_> = paths.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a::self", "a::b::c", "e", "f"]);
    }

    #[test]
    fn a_module_without_a_layer_is_a_violation() {
        assert_eq!(check(&Tree::from([("lvs-ctl/src/misc.rs", "")])).len(), 1);
        assert_eq!(check(&Tree::from([("lvs-ctl/src/main.rs", "use crate::misc;")])), []);
    }
}
