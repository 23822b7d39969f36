//! Children that end with us, however we end.
#![forbid(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::assert::eventually;

/// A running child; dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command of [`crate::netns::Netns::command`]. Standard error is appended to `log`,
    /// standard output too unless the command has been given another place for it by
    /// [`Self::start_talking`].
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        command.stdout(append(log)?);
        Self::launch(command, log)
    }

    /// Like [`Self::start`], with the standard output as a pipe.
    pub fn start_talking(mut command: Command, log: &Path) -> Result<(Self, ChildStdout)> {
        command.stdout(Stdio::piped());
        let mut process = Self::launch(command, log)?;
        let stdout = process.child.stdout.take().context("the child's standard output")?;
        Ok((process, stdout))
    }

    fn launch(mut command: Command, log: &Path) -> Result<Self> {
        command.stdin(Stdio::null()).stderr(append(log)?);
        let shown = format!("{command:?}");
        let child = launcher(command).with_context(|| format!("starting {shown}"))?;
        Ok(Self { child, log: log.into() })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        kill(pid, signal).with_context(|| format!("sending {signal} to {pid}"))
    }

    /// Waits until it has ended.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        eventually("the process ends", deadline, || self.child.try_wait().transpose())?
            .context("waiting for the process")
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("killing the process")?;
        self.child.wait().context("waiting for the killed process")?;
        Ok(())
    }

    /// What it wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("lab: {error:#}");
        }
    }
}

fn append(log: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("opening the log {}", log.display()))
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts the command on a thread that lives as long as the process: "the death of the parent" of
/// prctl(2) is that of the thread that forked.
fn launcher(command: Command) -> Result<Child> {
    static LAUNCHER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let launcher = LAUNCHER.get_or_init(|| {
        let (orders, received) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in received {
                // Who ordered it waits for the answer.
                answer.send(command.spawn()).expect("the order is waited for");
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    launcher.send((command, answer)).context("the launcher thread ended")?;
    Ok(child.recv().context("the launcher thread ended")??)
}
