//! Programs that checks and hooks run: without a shell, in a process group that ends with them.

use std::{
    io,
    process::{ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use crate::model::{DestAddr, ServiceId, service_text};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program is told, by name.
pub(super) type Environment = Vec<(&'static str, String)>;

/// A program that runs. All its processes end with this, however it ends.
pub(super) struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    /// Starts a program with its arguments and with this environment only, and `PATH`.
    ///
    /// # Errors
    /// It is not there, or cannot be run.
    pub(super) fn start(words: &[String], environment: Environment) -> io::Result<Self> {
        let (program, arguments) =
            words.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .envs(environment)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self { child, group: id.map(Pid::from_raw) })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// The host does not tell.
    pub(super) async fn end(mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

impl Drop for Running {
    /// What it left running ends too. The group's number is not another's as long as one of them
    /// lives; if none does, there is nobody to be found.
    fn drop(&mut self) {
        if let Some(group) = self.group {
            killpg(group, Signal::SIGKILL).ok();
        }
    }
}

/// What every program is told of a service and, if it is about one, of a real server.
pub(super) fn about(service: ServiceId, dest: Option<&DestAddr>) -> Environment {
    let mut all = vec![("LVS_SERVICE", service_text::write(service))];
    if let ServiceId::Address { protocol, address, port } = service {
        all.extend([
            ("LVS_PROTOCOL", protocol.name().to_owned()),
            ("LVS_VIP", address.to_string()),
            ("LVS_VPORT", port.to_string()),
        ]);
    }
    if let Some(dest) = dest {
        all.extend([("LVS_RIP", dest.address.to_string()), ("LVS_RPORT", dest.port.to_string())]);
    }
    all
}
