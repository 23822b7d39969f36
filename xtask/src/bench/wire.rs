//! `cargo xtask bench wire`.

use anyhow::Result;

use super::quietly;
use crate::{privilege::Root, workspace};

/// How the director is measured between links, beside what the kernel has.
#[derive(clap::Args)]
pub(super) struct Wire {
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    /// A quarter of the packets: to see whether it works
    #[arg(long)]
    quick: bool,
}

impl Wire {
    /// Builds what is needed, not in release, since what is measured runs in the kernel; and runs it on one
    /// processor, so that frames do not wait for another one.
    pub(super) fn run(self) -> Result<()> {
        quietly(&mut workspace::bpf_cargo_bench("build")?)?;
        let mut build = workspace::cargo();
        build.args(["build", "--package", "lvs-tests", "--package", "lvs-ctl"]);
        quietly(build.args(["--bin", "lvs-ipvs", "--bin", "lvs-ctl"]))?;
        let mut bench = Root::find().command("taskset")?;
        bench.args(["--cpu-list", "0"]).arg(workspace::target()?.join("debug/lvs-ipvs"));
        bench.args(["--beside", "dnat", "--round", if self.quick { "4096" } else { "16384" }]);
        bench.args(self.json.then_some("--json"));
        quietly(bench.arg("--programs").arg(workspace::bench_object()?))
    }
}
