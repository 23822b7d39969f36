//! `cargo xtask guest`.

use std::{ffi::OsString, process::Command, time::Duration};

use anyhow::Result;

use crate::{setup::Needs, steps::Tally, verb::Verb, vm, workspace};

/// Run a command on another kernel: Debian's, under QEMU, with this machine's files
///
/// The command sees this machine's files as they are now; nothing that it writes stays. It runs as root, without
/// a network, and emulated: ten to thirty times slower than here.
#[derive(clap::Args)]
#[command(after_help = "Example: cargo xtask guest -- ip link add type ipip")]
pub(crate) struct Guest {
    /// The kernel's version, as this Debian has it
    #[arg(long, value_name = "VERSION", default_value = "6.1")]
    kernel: String,
    /// For how many seconds the guest may run
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    limit: u64,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Verb for Guest {
    const NEEDS: Needs = Needs::Guest;

    fn run(self) -> Result<()> {
        let (program, arguments) = self.command.split_first().expect("clap requires one");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(workspace::root());
        let limit = Duration::from_secs(self.limit);
        vm::Guest::new(&self.kernel)?.run(&[vec![command]], limit, &mut Tally::default())
    }
}
