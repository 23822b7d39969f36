//! What the package holds beside the program, made by the program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{output, write};
use crate::workspace;

/// Completions: the shell, and the file it looks for.
const SHELLS: [(&str, &str); 3] = [("bash", "lvs-ctl"), ("zsh", "_lvs-ctl"), ("fish", "lvs-ctl.fish")];

/// As in `lvs-ctl/Cargo.toml`.
const MAINTAINER: &str = "lvs-xdp <lvs-xdp@users.noreply.github.com>";

/// Makes manual, completions and Debian's changelog in `release/package`.
pub(super) fn prepare(release: &Path, version: &str) -> Result<()> {
    let (program, stage) = (release.join("lvs-ctl"), release.join("package"));
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| format!("cannot empty {}", stage.display()))?;
    }
    workspace::run(Command::new(&program).arg("manuals").arg(stage.join("man")))?;
    for (shell, file) in SHELLS {
        let completions = output(Command::new(&program).args(["completions", shell]))?;
        write(&stage.join(file), completions + "\n")?;
    }
    write(&stage.join("changelog.Debian"), changelog_text(version, &date()?))?;
    fs::copy(workspace::root().join("CHANGELOG.md"), stage.join("changelog"))
        .context("cannot copy CHANGELOG.md")?;
    compress(&[stage.join("changelog.Debian"), stage.join("changelog")])?;
    let pages = fs::read_dir(stage.join("man"))?.map(|entry| Ok(entry?.path()));
    compress(&pages.collect::<Result<Vec<_>>>()?)
}

fn compress(files: &[PathBuf]) -> Result<()> {
    output(Command::new("gzip").args(["--best", "--no-name"]).args(files)).map(drop)
}

fn changelog_text(version: &str, date: &str) -> String {
    format!(
        "lvs-ctl ({version}) unstable; urgency=medium\n\n  \
         * As told in /usr/share/doc/lvs-ctl/changelog.gz.\n\n -- {MAINTAINER}  {date}\n"
    )
}

/// Of the last commit, as RFC 5322 writes it: the same sources make the same package.
fn date() -> Result<String> {
    output(Command::new("git").current_dir(workspace::root()).args(["log", "-1", "--format=%cD"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_is_one_entry_of_the_maintainer() {
        let text = changelog_text("1.2-1", "Sun, 22 Nov 2026 19:47:13 +0000");
        assert!(text.starts_with("lvs-ctl (1.2-1) unstable; urgency=medium\n\n  * "));
        assert!(text.ends_with(&format!("\n -- {MAINTAINER}  Sun, 22 Nov 2026 19:47:13 +0000\n")));
        assert!(include_str!("../../../lvs-ctl/Cargo.toml").contains(MAINTAINER));
    }
}
