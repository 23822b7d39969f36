//! Debian's packages for the guest: downloaded and unpacked below the target directory, never installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{privilege::Root, workspace};

/// The package that depends on the newest kernel.
const NEWEST: &str = "linux-image-amd64";

/// A shell and its tools in one program, without libraries.
const BUSYBOX: &str = "busybox-static";

/// A kernel, unpacked.
pub(super) struct Kernel {
    /// As `uname -r` has it.
    pub(super) release: String,
    /// The kernel itself.
    pub(super) vmlinuz: PathBuf,
    /// The directory below which its modules lie.
    pub(super) modules: PathBuf,
    /// The guest's shell.
    pub(super) busybox: PathBuf,
}

impl Kernel {
    /// The newest kernel of this version that apt offers.
    pub(super) fn get(version: &str, directory: &Path) -> Result<Self> {
        Self::with_these_lists(version, directory).or_else(|error| {
            // A container's image comes without lists of packages; old ones name files that are gone.
            println!("vm: {error:#}; once more, with new lists of packages:");
            workspace::run(Root::find().command("apt-get")?.arg("update"))?;
            Self::with_these_lists(version, directory)
        })
    }

    fn with_these_lists(version: &str, directory: &Path) -> Result<Self> {
        let release = release(&output(Command::new("apt-cache").args(["depends", NEWEST]))?)
            .with_context(|| format!("apt knows no {NEWEST}, which Debian for amd64 has"))?;
        ensure!(
            release.starts_with(&format!("{version}.")),
            "this Debian's kernel is {release}, not {version}"
        );
        let kernel = unpacked(&format!("linux-image-{release}"), directory)?;
        let tools = unpacked(BUSYBOX, directory)?;
        Ok(Self {
            vmlinuz: kernel.join(format!("boot/vmlinuz-{release}")),
            modules: kernel.join(format!("lib/modules/{release}/kernel")),
            busybox: tools.join("bin/busybox"),
            release,
        })
    }
}

/// Where the package lies unpacked; it is downloaded when it was not yet.
fn unpacked(package: &str, directory: &Path) -> Result<PathBuf> {
    let place = directory.join(package);
    if place.is_dir() {
        return Ok(place);
    }
    let [download, rest] =
        ["download", "unpacking"].map(|step| directory.join(format!("{package}.{step}")));
    for left in [&download, &rest] {
        if left.exists() {
            fs::remove_dir_all(left)?;
        }
    }
    fs::create_dir_all(&download)?;
    workspace::run(Command::new("apt-get").current_dir(&download).args(["download", package]))?;
    let Some(file) = fs::read_dir(&download)?.next() else { bail!("apt-get downloaded nothing") };
    // Moved to its place at the end: what is there is whole.
    workspace::run(Command::new("dpkg-deb").arg("--extract").arg(file?.path()).arg(&rest))?;
    fs::rename(&rest, &place)?;
    fs::remove_dir_all(&download)?;
    Ok(place)
}

/// The kernel that the package depends on, of what `apt-cache depends` prints.
fn release(depends: &str) -> Option<String> {
    depends.lines().find_map(|line| {
        let package = line.trim().strip_prefix("Depends: ")?;
        package.strip_prefix("linux-image-").map(str::to_owned)
    })
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_is_what_the_package_depends_on() {
        let printed = "linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n  Suggests: x\n";
        assert_eq!(release(printed).unwrap(), "6.1.0-56-amd64");
        assert_eq!(release("N: Unable to locate package"), None);
    }
}
