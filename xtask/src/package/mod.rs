//! `cargo xtask package`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    build,
    setup::{self, Needs},
    verb::Verb,
    workspace,
};

mod container;
mod stage;

/// Build a Debian package of the controller, into target/debian
///
/// With systemd unit, manual, completions and an example of a configuration. lintian must find no
/// error in it.
#[derive(clap::Args)]
pub(crate) struct Package {
    /// Try it in a container of Debian 12 under systemd: install, start, upgrade under traffic,
    /// remove, purge. Needs root, and half a minute beside the making of the container
    #[arg(long = "try")]
    try_out: bool,
    /// Package the controller as it is in target/release
    #[arg(long)]
    no_build: bool,
}

impl Verb for Package {
    const NEEDS: Needs = Needs::Package;

    fn run(self) -> Result<()> {
        if self.try_out {
            setup::ensure(Needs::Container)?;
        }
        if !self.no_build {
            build::controller(true)?;
        }
        let version = env!("CARGO_PKG_VERSION");
        let package = make(&format!("{version}-1"))?;
        workspace::run(
            Command::new("lintian")
                .args(["--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0"])
                .arg(&package),
        )?;
        if self.try_out {
            container::try_out(&package, &format!("{version}-2"))?;
        }
        println!("package: {}", package.display());
        Ok(())
    }
}

/// Makes the package of this version from what is built.
fn make(version: &str) -> Result<PathBuf> {
    let target = workspace::target()?;
    stage::prepare(&target.join("release"), version)?;
    let name = format!("lvs-ctl_{version}_{}.deb", architecture()?);
    let package = target.join("debian").join(name);
    let mut command = workspace::cargo();
    command.args(["deb", "--package", "lvs-ctl", "--no-build", "--deb-version", version]);
    workspace::run(command.arg("--output").arg(&package).env("CARGO_TARGET_DIR", &target))?;
    ensure!(package.is_file(), "cargo-deb made no {}", package.display());
    Ok(package)
}

fn architecture() -> Result<String> {
    output(Command::new("dpkg").arg("--print-architecture"))
}

/// What a program prints, without the end of the line.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {}", workspace::show(command)))?;
    ensure!(output.status.success(), "`{}` failed ({})", workspace::show(command), output.status);
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Writes a file, naming it where that fails.
fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
