//! Builds the packet programs for the bpf target and hands them to the crate as `OUT_DIR/lvs` and
//! `OUT_DIR/lvs-decap`.
#![forbid(unsafe_code)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

#[path = "../xtask/src/bpf_cargo.rs"]
mod bpf_cargo;

/// Everything the object is made of, from the workspace's root.
const SOURCES: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "lvs-common/Cargo.toml",
    "lvs-common/src",
    "lvs-ebpf/Cargo.toml",
    "lvs-ebpf/src",
    "xtask/src/bpf_cargo.rs",
];

fn main() {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = package.parent().expect("the package lies in the workspace");
    for source in SOURCES {
        // Relative to the package, so that a workspace that was moved is not taken for built.
        println!("cargo::rerun-if-changed=../{source}");
    }
    if let Err(message) = build(root) {
        for line in message.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn build(root: &Path) -> Result<(), String> {
    tools_are_there()?;
    let out = PathBuf::from(variable("OUT_DIR"));
    // <target>/<profile>/build/<package>/out
    let target = out.ancestors().nth(4).expect("cargo's layout of OUT_DIR");
    let bpf_target = target.join("bpf");
    let arch = variable("CARGO_CFG_TARGET_ARCH");
    let cargo = variable("CARGO");
    for object in [bpf_cargo::PRODUCT, bpf_cargo::DECAP] {
        let mut command =
            bpf_cargo::command(cargo.as_ref(), "build", root, &bpf_target, &arch, object);
        let status = command.status().map_err(|error| format!("cannot run {cargo}: {error}"))?;
        if !status.success() {
            return Err(format!("the program {object} (lvs-ebpf) does not build; see above"));
        }
        let file = bpf_cargo::object(&bpf_target, object);
        fs::copy(&file, out.join(object))
            .map_err(|error| format!("cannot copy {}: {error}", file.display()))?;
    }
    Ok(())
}

fn tools_are_there() -> Result<(), String> {
    let rustc = variable("RUSTC");
    let output = Command::new(&rustc)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("cannot run {rustc}: {error}"))?;
    let sysroot = String::from_utf8_lossy(&output.stdout);
    let advice = "run `cargo xtask setup`, which finds or installs what the packet program needs";
    if !bpf_cargo::has_library_sources(Path::new(sysroot.trim())) {
        return Err(format!("the library sources of {rustc} are missing; {advice}"));
    }
    if bpf_cargo::find_program(bpf_cargo::LINKER).is_none() {
        return Err(format!("{} is missing; {advice}", bpf_cargo::LINKER));
    }
    Ok(())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}
