//! A clean Debian 12 under systemd, and the package's life in it.
//!
//! The system is made once by mmdebstrap and unpacked anew for each run; systemd-nspawn boots it with
//! a network and a BPF file system of its own. What happens in it is told by `try.sh`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::write;
use crate::{
    privilege::Root,
    workspace::{self, show},
};

/// What the container has beside what every Debian has.
const INCLUDE: &str = "--include=systemd,iproute2,ethtool";

/// A run that takes longer hangs, seconds.
const LIMIT_S: &str = "180";

/// The life of the package.
const SCRIPT: &str = include_str!("try.sh");

/// Runs the script when the system is up, and powers off with its exit code.
const UNIT: &str = "\
[Unit]
Description=The life of a package
After=basic.target dbus.service
SuccessAction=exit
FailureAction=exit
FailureActionExitStatus=1

[Service]
Type=oneshot
ExecStart=/bin/bash /try/try.sh
StandardOutput=file:/try/log
StandardError=inherit
";

/// Boots in a mount namespace of its own, so that nothing stays mounted.
const BOOT: &str = "\
mount --make-rprivate / && mount -t bpf bpf \"$1/bpf\" && exec timeout \"$2\" systemd-nspawn --quiet \
--register=no --keep-unit --private-network --capability=all --system-call-filter=bpf \
--console=pipe --machine=lvs-package --directory=\"$1/root\" --bind=\"$1/bpf:/sys/fs/bpf\" --boot \
-- systemd.show_status=0 </dev/null >\"$1/console\" 2>&1";

/// Installs, starts, upgrades to the version `next`, removes and purges.
pub(super) fn try_out(package: &Path, next: &str) -> Result<()> {
    let place = workspace::target()?.join("package-try");
    let root = unpacked(&place)?;
    let inside = root.join("try");
    fs::create_dir_all(&inside)?;
    fs::copy(package, inside.join("old.deb")).context("cannot copy the package")?;
    renumber(package, next, &inside.join("new.deb"))?;
    write(&inside.join("try.sh"), SCRIPT)?;
    write(&root.join("etc/systemd/system/try.service"), UNIT)?;
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    symlink("../try.service", wants.join("try.service"))?;
    let mut boot = Root::find().command("unshare")?;
    boot.args(["--mount", "sh", "-c", BOOT, "sh"]).arg(&place).arg(LIMIT_S);
    println!("$ {}", show(&boot));
    let status = boot.status().context("cannot boot the container")?;
    let log = fs::read_to_string(inside.join("log")).unwrap_or_default();
    print!("{log}");
    let console = place.join("console");
    ensure!(status.success(), "the package failed ({status}); the container's console is in {}", console.display());
    as_root("rm", &["-rf"], &root)
}

/// Makes `to`, the same package with another version.
fn renumber(package: &Path, version: &str, to: &Path) -> Result<()> {
    let files = to.with_extension("files");
    workspace::run(Command::new("dpkg-deb").arg("--raw-extract").arg(package).arg(&files))?;
    let control = files.join("DEBIAN/control");
    let (text, number) = (fs::read_to_string(&control)?, format!("Version: {version}"));
    let line = |line: &str| {
        let line = if line.starts_with("Version: ") { &number } else { line };
        format!("{line}\n")
    };
    write(&control, text.lines().map(line).collect::<String>())?;
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zgzip", "--build"]).arg(&files).arg(to);
    workspace::run(&mut build)?;
    as_root("rm", &["-rf"], &files)
}

/// A fresh system in `place/root`.
fn unpacked(place: &Path) -> Result<PathBuf> {
    let (archive, root) = (place.join("base.tar"), place.join("root"));
    fs::create_dir_all(place.join("bpf"))?;
    if !archive.exists() {
        let half = place.join("half.tar");
        as_root("mmdebstrap", &["--variant=minbase", INCLUDE, "bookworm"], &half)?;
        fs::rename(half, &archive)?;
    }
    as_root("rm", &["-rf"], &root)?;
    fs::create_dir_all(&root)?;
    let mut unpack = Root::find().command("tar")?;
    // The container's devices are systemd's.
    unpack.arg("--directory").arg(&root).args(["--exclude=./dev/*", "--extract", "--file"]);
    workspace::run(unpack.arg(archive))?;
    Ok(root)
}

fn as_root(program: &str, arguments: &[&str], path: &Path) -> Result<()> {
    workspace::run(Root::find().command(program)?.args(arguments).arg(path))
}
