//! `cargo xtask bench ipvs`.

use std::{process::Command, time::Duration};

use anyhow::Result;

use super::quietly;
use crate::{
    setup::{self, Needs},
    vm::Guest,
    workspace,
};

/// How the kernel's IPVS and the director are measured side by side.
#[derive(clap::Args)]
pub(super) struct Ipvs {
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// A quarter of the packets: to see whether it works
    #[arg(long)]
    quick: bool,
    /// The kernel's version, as this Debian has it
    #[arg(long, value_name = "VERSION", default_value = "6.1")]
    kernel: String,
}

/// The kernel's IPVS, and the scheduler that is used.
const MODULES: &[&str] = &["ip_vs", "ip_vs_rr"];

/// For all of it, in a guest that counts its instructions.
const LIMIT: Duration = Duration::from_hours(1);

/// What lines begin with that say how it goes on: on the guest's way out, they are not told from the others.
const PROGRESS: [&str; 3] = ["bench: ", "guest", "init: "];

impl Ipvs {
    /// Builds what is needed, not in release, since what is measured runs in the kernel; and runs it in a guest.
    pub(super) fn run(self) -> Result<()> {
        setup::ensure(Needs::Guest)?;
        quietly(&mut workspace::bpf_cargo_bench("build")?)?;
        let mut build = workspace::cargo();
        build.args(["build", "--package", "lvs-tests", "--package", "lvs-ctl"]);
        quietly(build.args(["--bin", "lvs-ipvs", "--bin", "lvs-ctl"]))?;
        let mut bench = Command::new(workspace::target()?.join("debug/lvs-ipvs"));
        bench.args(["--beside", "ipvs"]);
        bench.arg("--programs").arg(workspace::bench_object()?);
        bench.args(self.json.then_some("--json"));
        if self.quick {
            bench.args(["--round", "512"]);
        }
        let mut show = |line: &str| {
            if PROGRESS.iter().any(|beginning| line.starts_with(beginning)) {
                eprintln!("{line}");
            } else {
                println!("{line}");
            }
        };
        Guest::counting(&self.kernel, MODULES)?.listen(&[vec![bench]], LIMIT, &mut show)
    }
}
