//! Links between the files of the repository lead somewhere.

use std::path::Path;

use super::{Violation, tree::Tree};

/// Every link of a Markdown file to a file that is not there.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let is_markdown = |path: &str| Path::new(path).extension().is_some_and(|it| it == "md");
    let mut violations = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| is_markdown(path)) {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        for (target, line) in links(text) {
            if !tree.has(&resolve(directory, target)) {
                violations.push(Violation::new(path, line, format!("no such file: {target}")));
            }
        }
    }
    violations
}

/// The targets inside the repository, and the line each is on. Code blocks have no links.
fn links(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut in_block = false;
    let lines = text.lines().zip(1..).filter(move |(line, _)| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        !in_block && !fence
    });
    lines.flat_map(|(line, number)| {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let files = targets.map(|target| target.split('#').next().unwrap_or(target));
        files.filter(|file| !file.is_empty() && !file.contains(':')).map(move |file| (file, number))
    })
}

fn resolve(directory: &str, target: &str) -> String {
    let mut parts: Vec<_> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_missing_file_is_a_violation() {
        let readme = "[code](lvs-ebpf/src/lib.rs#L10) [up](#top) [web](https://example.org/a)\n\
                      ```\n[no](link)\n```\n[directory](./docs/) [gone](docs/gone.md)\n";
        let tree = Tree::from([
            ("README.md", readme),
            ("docs/tuning.md", "[back](../README.md)\n"),
            ("lvs-ebpf/src/lib.rs", ""),
        ]);
        assert_eq!(check(&tree), [Violation::new("README.md", 5, "no such file: docs/gone.md")]);
    }
}
