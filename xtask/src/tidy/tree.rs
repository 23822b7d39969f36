//! The text files of the repository, as the rules see them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::code;

/// The files by their path from the root, with `/` between the parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    root: PathBuf,
    files: BTreeMap<String, String>,
}

impl Tree {
    /// The files that git tracks, or would track if they were added. What is not UTF-8 is left out.
    pub(crate) fn of_repository(root: &Path) -> Result<Self> {
        let listed = git(root, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        let names = listed.split_terminator('\0');
        let read = |name: &str| Some((name.to_owned(), fs::read_to_string(root.join(name)).ok()?));
        Ok(Self { root: root.into(), files: names.filter_map(read).collect() })
    }

    /// The directory that git is asked in.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Every file with its text, in the order of their paths.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The text of this file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The Rust files below this directory, each with its code only.
    pub(crate) fn code(&self, directory: &str) -> impl Iterator<Item = (&str, String)> {
        let rust = self.files().filter(move |(path, _)| {
            path.starts_with(directory) && Path::new(path).extension().is_some_and(|e| e == "rs")
        });
        rust.map(|(path, text)| (path, code::only(text)))
    }

    /// Whether there is a file or a directory of this name.
    pub(crate) fn has(&self, path: &str) -> bool {
        let directory = format!("{path}/");
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&directory))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Tree {
    fn from(files: [(&str, &str); N]) -> Self {
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        Self { root: PathBuf::new(), files: files.into() }
    }
}

/// What git prints.
pub(crate) fn git(root: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    // Set where git itself calls us, as in a hook: then they name another place than `root`.
    for variable in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        command.env_remove(variable);
    }
    // Also where the clone is another user's, as in a container.
    let safe = format!("safe.directory={}", root.display());
    command.current_dir(root).args(["-c", &safe]).args(arguments);
    let output = command.output().context("cannot run git")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {} failed: {complaint}", arguments.join(" "));
    String::from_utf8(output.stdout).context("git printed no text")
}
