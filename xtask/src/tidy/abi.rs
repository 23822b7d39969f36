//! Whoever changes the layout of a map raises the version by which old pinned maps are refused.

use anyhow::Result;

use super::{
    Violation, code,
    tree::{Tree, git},
};

const MAPS: &str = "lvs-common/src/map/";
const VERSION_FILE: &str = "lvs-common/src/lib.rs";
const VERSION: &str = "ABI_VERSION";

/// What the change is measured against.
const BASE: &str = "origin/main";

/// The first file below `map/` whose code differs from the base branch while the version does not.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let Ok(base) = git(tree.root(), &["merge-base", "HEAD", BASE]) else {
        println!("tidy: there is no {BASE} to compare map layouts with: rule skipped [abi]");
        return Vec::new();
    };
    // A base without the file or the version is older than the rule.
    changed(tree, base.trim()).unwrap_or_default()
}

fn changed(tree: &Tree, base: &str) -> Result<Vec<Violation>> {
    let at_base = |path: &str| git(tree.root(), &["show", &format!("{base}:{path}")]);
    let old_version = version(&at_base(VERSION_FILE)?);
    let new_version = tree.text(VERSION_FILE).and_then(version);
    if old_version.is_none() || old_version != new_version {
        return Ok(Vec::new());
    }
    let listed = git(tree.root(), &["ls-tree", "-r", "--name-only", base, MAPS])?;
    let old = listed.lines().map(str::to_owned);
    let new = tree.code(MAPS).map(|(path, _)| path.to_owned());
    let mut paths: Vec<_> = old.chain(new).collect();
    paths.sort_unstable();
    let differs = |path: &&String| {
        let old = at_base(path).unwrap_or_default();
        layout(&old) != layout(tree.text(path).unwrap_or_default())
    };
    let message = format!("the maps changed since {BASE}: raise {VERSION} in {VERSION_FILE}");
    let first = paths.iter().find(differs);
    Ok(first.map(|path| Violation::new(path, 1, message)).into_iter().collect())
}

/// The line of code that sets the version.
fn version(source: &str) -> Option<String> {
    let code = code::only(source);
    code.lines().find(|line| line.contains(VERSION) && line.contains('=')).map(str::to_owned)
}

/// The code of a file without comments, tests and blanks.
fn layout(source: &str) -> String {
    let code = code::only(source);
    let end = code.find("#[cfg(test)]").unwrap_or(code.len());
    code[..end].split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use tempfile::TempDir;

    use super::*;

    const MAP_FILE: &str = "lvs-common/src/map/dest.rs";

    #[test]
    fn a_changed_map_wants_a_new_version() {
        let repository = repository();
        write(repository.path(), MAP_FILE, "struct Dest { weight: u32 }\n");
        let violations = check(&Tree::of_repository(repository.path()).unwrap());
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].path, MAP_FILE);
    }

    #[test]
    fn a_new_version_allows_the_change() {
        let repository = repository();
        write(repository.path(), MAP_FILE, "struct Dest { weight: u32 }\n");
        write(repository.path(), VERSION_FILE, "pub const ABI_VERSION: u32 = 2;\n");
        assert_eq!(check(&Tree::of_repository(repository.path()).unwrap()), []);
    }

    #[test]
    fn a_new_map_wants_a_new_version() {
        let repository = repository();
        write(repository.path(), "lvs-common/src/map/event.rs", "struct Event;\n");
        assert_eq!(check(&Tree::of_repository(repository.path()).unwrap()).len(), 1);
    }

    #[test]
    fn comments_and_tests_are_no_layout() {
        let repository = repository();
        let text = "/// A real server.\nstruct Dest { weight: u16 }\n#[cfg(test)]\nmod tests {}\n";
        write(repository.path(), MAP_FILE, text);
        assert_eq!(check(&Tree::of_repository(repository.path()).unwrap()), []);
    }

    fn repository() -> TempDir {
        let directory = TempDir::new().unwrap();
        let root = directory.path();
        write(root, MAP_FILE, "struct Dest { weight: u16 }\n");
        write(root, VERSION_FILE, "pub const ABI_VERSION: u32 = 1;\n");
        let identity = ["-c", "user.name=tidy", "-c", "user.email=tidy@example.org"];
        let commit = [&identity[..], &["commit", "--quiet", "--message", "base"]].concat();
        git(root, &["init", "--quiet"]).unwrap();
        git(root, &["add", "."]).unwrap();
        git(root, &commit).unwrap();
        git(root, &["update-ref", "refs/remotes/origin/main", "HEAD"]).unwrap();
        directory
    }

    fn write(root: &Path, path: &str, text: &str) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}
