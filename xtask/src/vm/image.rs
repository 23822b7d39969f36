//! The guest's first file system, and what it boots with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{cpio::Archive, modules, packages::Kernel};

/// What the guest runs first.
const INIT: &str = include_str!("init.sh");

/// Where file systems are mounted.
const DIRECTORIES: &[&str] =
    &["bin", "modules", "proc", "sys", "dev", "job", "host", "memory", "root", "workspace"];

/// The applets of busybox that `INIT` uses.
const APPLETS: &[&str] =
    &["sh", "mount", "mkdir", "insmod", "hostname", "ip", "ln", "cp", "chroot", "sync", "poweroff"];

/// What QEMU boots.
pub(super) struct Image {
    pub(super) vmlinuz: PathBuf,
    pub(super) initramfs: PathBuf,
}

/// Writes it, in a moment, with these modules beside those that every guest has.
pub(super) fn build(kernel: &Kernel, more: &[&str], directory: &Path) -> Result<Image> {
    let mut archive = Archive::default();
    for directory in DIRECTORIES {
        archive.directory(directory);
    }
    archive.file("init", INIT.as_bytes());
    archive.file("bin/busybox", &read(&kernel.busybox)?);
    for applet in APPLETS {
        archive.link(&format!("bin/{applet}"), "busybox");
    }
    let mut order = String::new();
    for module in modules::in_order(&kernel.modules, more)? {
        let name = module.file_name().and_then(|name| name.to_str()).context("a module's name")?;
        archive.file(&format!("modules/{name}"), &read(&module)?);
        order.extend([name, "\n"]);
    }
    archive.file("modules/order", order.as_bytes());
    let initramfs = directory.join("initramfs");
    fs::write(&initramfs, archive.finish())?;
    Ok(Image { vmlinuz: kernel.vmlinuz.clone(), initramfs })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
