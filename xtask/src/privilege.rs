//! Who we are, and how a command is run as root.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::MetadataExt,
    process::Command,
};

use anyhow::{Result, bail};

use crate::bpf_cargo::find_program;

/// How this process can run a command as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// It is root.
    Own,
    /// It may ask sudo.
    Sudo,
    /// It cannot.
    None,
}

impl Root {
    /// The way open to this process.
    pub(crate) fn find() -> Self {
        // The owner of /proc/self is the effective user.
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            Self::Own
        } else if find_program("sudo").is_some() {
            Self::Sudo
        } else {
            Self::None
        }
    }

    /// The command that runs `program` as root: through sudo, keeping the environment, unless
    /// this process is root. (`PATH` by hand: sudo replaces it even where it keeps the rest.)
    pub(crate) fn command(self, program: impl AsRef<OsStr>) -> Result<Command> {
        match self {
            Self::Own => Ok(Command::new(program)),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                let mut path = OsString::from("PATH=");
                path.push(env::var_os("PATH").unwrap_or_default());
                command.args(["--preserve-env", "env"]).arg(path).arg(program);
                Ok(command)
            }
            Self::None => bail!("this needs root, and there is no sudo here: run it as root"),
        }
    }
}
