//! `cargo xtask kernel-test`.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{privilege::Root, setup::Needs, verb::Verb, workspace};

/// Run the Linux kernel's own end-to-end test of IPVS, as it is, on this director
///
/// The script is `tools/testing/selftests/net/netfilter/ipvs.sh` of a kernel's sources, with its libraries beside and
/// above it. It finds our ipvsadm in its path, which starts a controller in each namespace that it is called in, and
/// a modprobe that stands in for modules which this kernel has not. Needs root: an ordinary user goes through sudo.
#[derive(clap::Args)]
pub(crate) struct KernelTest {
    /// The script
    script: PathBuf,
}

impl Verb for KernelTest {
    const NEEDS: Needs = Needs::Traffic;

    fn run(self) -> Result<()> {
        let script = fs::canonicalize(&self.script)
            .with_context(|| format!("there is no {}", self.script.display()))?;
        let mut build = workspace::cargo();
        build.args(["build", "--quiet", "--package", "lvs-ctl", "--package", "lvs-tests", "--bins"]);
        workspace::run(&mut build)?;
        let path = path(&workspace::target()?)?;
        // It reads its library from where it stands. Past sudo, the path is still to be ours.
        let mut command = Root::find().command("env")?;
        command.arg(format!("PATH={path}")).arg("bash").arg(&script);
        workspace::run(command.current_dir(script.parent().unwrap_or(Path::new("/"))))
    }
}

/// What the script finds by the names that it calls, before what is installed.
fn path(target: &Path) -> Result<String> {
    let names = target.join("kernel-test");
    fs::create_dir_all(&names)?;
    let root = workspace::root();
    let programs = [
        ("ipvsadm", root.join("lvs-ctl/dist/ipvsadm-in-netns")),
        ("modprobe", root.join("tests/stand-ins/modprobe")),
        ("lvs-ctl", target.join("debug/lvs-ctl")),
        ("lab-peer", target.join("debug/lab-peer")),
    ];
    for (name, program) in programs {
        let link = names.join(name);
        if fs::read_link(&link).is_ok() {
            fs::remove_file(&link)?;
        }
        symlink(program, link)?;
    }
    let rest = env::var("PATH").unwrap_or_default();
    Ok(format!("{}:{rest}", names.display()))
}
