//! The cargo that builds for the bpf target, and what it needs on the machine.
//!
//! Shared by path: `lvs-ctl/build.rs` builds the object with it, `cargo xtask` checks the sources
//! with it. One target directory serves both, so that debug, release and clippy builds of the
//! controller find the object already made.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

/// The linker that rustc calls for the bpf target.
pub(crate) const LINKER: &str = "bpf-linker";

/// The triple of the object: little endian, as the machines it runs on.
const TRIPLE: &str = "bpfel-unknown-none";

/// Variables kept although their names say that the outer cargo set them: where crates come from,
/// how cargo talks, and the job server that both share.
const KEPT: &[&str] = &[
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTR",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "CARGO_MAKEFLAGS",
];

/// Variables that the outer cargo sets without a prefix.
const OUTER: &[&str] = &[
    "RUSTFLAGS",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTC_LINKER",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "OUT_DIR",
    "TARGET",
    "HOST",
    "NUM_JOBS",
    "OPT_LEVEL",
    "PROFILE",
    "DEBUG",
];

/// The object that is the product.
pub(crate) const PRODUCT: &str = "lvs";

/// The object for real servers, which is a product as well.
pub(crate) const DECAP: &str = "lvs-decap";

/// Where the object of this name lies after [`command`] has built it into `target_dir`.
pub(crate) fn object(target_dir: &Path, name: &str) -> PathBuf {
    target_dir.join(TRIPLE).join("release").join(name)
}

/// `cargo verb`, set up for the object of this name: `arch` is the machine that will run it, `root`
/// the workspace.
pub(crate) fn command(
    cargo: &OsStr,
    verb: &str,
    root: &Path,
    target_dir: &Path,
    arch: &str,
    name: &str,
) -> Command {
    let mut command = Command::new(cargo);
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_outer_cargo(name)) {
        command.env_remove(name);
    }
    command
        .current_dir(root)
        .args([verb, "--package", "lvs-ebpf", "--bin", name, "--release"])
        .args(["--target", TRIPLE, "-Z", "build-std=core", "--target-dir"])
        .arg(target_dir)
        // -Z build-std on a stable compiler: `core` for bpf exists as source only.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(arch))
        // The verifier wants one flat program that cannot unwind; the workspace's own release
        // profile is for the controller.
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1");
    command
}

/// The first file of this name in the directories of `PATH`, or in the directories of the
/// administrator's programs, which an ordinary user's `PATH` lacks on Debian.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// Whether the library sources that `-Z build-std` compiles lie below this sysroot of rustc.
pub(crate) fn has_library_sources(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file()
}

fn is_of_outer_cargo(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let prefixed = name.starts_with("CARGO_") || name.starts_with("DEP_");
    OUTER.contains(&name) || prefixed && !KEPT.iter().any(|kept| name.starts_with(kept))
}

fn rustflags(arch: &str) -> OsString {
    let flags = [
        &format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2",
        "-Clink-arg=--btf",
        // Otherwise every copy of a few bytes is a call to memcpy's loop.
        "-Clink-arg=--disable-expand-memcpy-in-order",
        // Version 3 has atomic operations that return the old value.
        "-Ctarget-cpu=v3",
    ];
    flags.join("\x1f").into()
}
