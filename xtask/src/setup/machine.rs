//! What is there: one look at the machine, taken before anything is decided.

use std::{
    collections::BTreeSet,
    env, fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use object::{Object, ObjectSection};

use super::{
    llvm::{self, Linker},
    packages::PACKAGES,
    plan::CARGO_DEB,
};
use crate::{
    bpf_cargo::{self, find_program},
    privilege::Root,
};

/// Where the kernel's pinned objects live.
pub(crate) const BPFFS: &str = "/sys/fs/bpf";

/// What the plan depends on.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// How a step can be run as root.
    pub(crate) root: Root,
    /// Whether there is apt-get.
    pub(crate) debian: bool,
    /// The LLVM major of rustc.
    pub(crate) rustc_llvm: u32,
    /// Whether the toolchain has the sources of `core`.
    pub(crate) library_sources: bool,
    /// The bpf-linker that rustc would call.
    pub(crate) linker: Option<Linker>,
    /// The programs, of those we ask for, that are there.
    pub(crate) programs: BTreeSet<&'static str>,
    /// The LLVM majors whose development files are there, Polly included.
    pub(crate) llvm_for_development: BTreeSet<u32>,
    /// Whether bpffs is mounted at [`BPFFS`].
    pub(crate) bpffs: bool,
}

impl Machine {
    /// Looks.
    pub(crate) fn look() -> Result<Self> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let rustc_llvm = llvm::of_rustc(&output(Command::new(&rustc).arg("-vV"))?)
            .context("`rustc -vV` names no LLVM version")?;
        let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"]))?;
        let asked = PACKAGES.iter().map(|package| package.program);
        let programs = asked.chain(["cc", "c++", "rustup", CARGO_DEB]);
        let has_llvm = |&major: &u32| {
            let prefix = PathBuf::from(format!("/usr/lib/llvm-{major}"));
            ["bin/llvm-config", "lib/libPolly.a"].iter().all(|file| prefix.join(file).exists())
        };
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        Ok(Self {
            root: Root::find(),
            debian: find_program("apt-get").is_some(),
            rustc_llvm,
            library_sources: bpf_cargo::has_library_sources(Path::new(sysroot.trim())),
            linker: find_program(bpf_cargo::LINKER).and_then(|file| look_at_linker(&file)),
            programs: programs.filter(|program| find_program(program).is_some()).collect(),
            llvm_for_development: [rustc_llvm].into_iter().filter(has_llvm).collect(),
            bpffs: is_mounted(&mounts, BPFFS, "bpf"),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |yes| if yes { "found" } else { "missing" };
        let linker = self.linker.as_ref().map_or("missing".into(), Linker::to_string);
        writeln!(f, "{:<16} {:<34} to build the packet program", "rust-src", has(self.library_sources))?;
        writeln!(f, "{:<16} {linker:<34} rustc has LLVM {}", bpf_cargo::LINKER, self.rustc_llvm)?;
        writeln!(f, "{:<16} {:<34} to load it", BPFFS, has(self.bpffs))?;
        for package in PACKAGES {
            let found = has(self.programs.contains(package.program));
            writeln!(f, "{:<16} {found:<34} {}", package.name, package.used_for)?;
        }
        Ok(())
    }
}

/// Whether `/proc/self/mounts` shows a file system of this type at this place.
fn is_mounted(mounts: &str, place: &str, kind: &str) -> bool {
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next() == Some(place) && fields.next() == Some(kind)
    })
}

/// `None` when the program does not run: it lacks a library, say, and must be built again.
fn look_at_linker(file: &Path) -> Option<Linker> {
    let version = output(Command::new(file).arg("--version")).ok()?.trim().to_owned();
    let bytes = fs::read(file).ok()?;
    let program = object::File::parse(&*bytes).ok()?;
    let names = program.section_by_name(".dynstr").and_then(|section| section.data().ok());
    Some(Linker { version, llvm: names.and_then(llvm::of_libraries) })
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?} failed ({})", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} printed no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_counts_by_place_and_type() {
        let mounts = "sysfs /sys sysfs rw 0 0\nnone /sys/fs/bpf bpf rw,relatime 0 0\n";
        assert!(is_mounted(mounts, "/sys/fs/bpf", "bpf"));
        assert!(!is_mounted(mounts, "/sys", "bpf"));
        assert!(!is_mounted(mounts, "/sys/fs", "sysfs"));
    }
}
