//! What a lab leaves in the system, written down before it is made, and its removal: when its owner
//! is dropped, when a signal ends the process, and after a kill by the next process.
#![forbid(unsafe_code)]

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, Once, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::{MntFlags, umount2},
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};

use crate::assert::eventually;

/// Where `ip netns` looks.
pub(crate) const NETNS_DIR: &str = "/run/netns";
/// Parent of every lab's own directory.
pub(crate) const LABS_DIR: &str = "/run/lvs-lab";
/// Namespaces are called `lvs-lab-<pid>-<lab>-<host>`, directories `<pid>-<lab>`.
pub(crate) const NETNS_PREFIX: &str = "lvs-lab-";
/// A lab's own BPF file system, in its directory.
pub(crate) const BPFFS: &str = "bpf";

/// One thing that outlives a killed process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Residue {
    /// A network namespace, by its name.
    Namespace(String),
    /// A lab's directory, with the BPF file system that may be mounted in it.
    Directory(PathBuf),
}

impl Residue {
    /// Removes it, with the processes in it; what is not there is no error.
    fn remove(&self) -> Result<()> {
        match self {
            Self::Namespace(name) => remove_namespace(&Path::new(NETNS_DIR).join(name)),
            Self::Directory(path) => remove_directory(path),
        }
        .with_context(|| format!("removing {self:?}"))
    }
}

/// Makes the thing under the register's lock: either it is written down and made, or the process is
/// being ended by a signal and this waits for the end.
pub(crate) fn make<R>(residue: Residue, make: impl FnOnce() -> Result<R>) -> Result<R> {
    prepare()?;
    let mut register = register();
    register.push(residue);
    let result = make();
    if result.is_err()
        && let Some(residue) = register.pop()
    {
        residue.remove()?;
    }
    result
}

/// Removes the thing and forgets it.
pub(crate) fn remove(residue: &Residue) -> Result<()> {
    let mut register = register();
    register.retain(|known| known != residue);
    residue.remove()
}

/// Processes whose network namespace is the one that is bound at `path`, ourselves excepted.
pub(crate) fn processes_in(path: &Path) -> Vec<Pid> {
    let Ok(inode) = fs::metadata(path).map(|meta| meta.ino()) else { return Vec::new() };
    let Ok(proc) = fs::read_dir("/proc") else { return Vec::new() };
    proc.flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid| Pid::from_raw(pid) != Pid::this())
        .filter(|pid| fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|m| m.ino() == inode))
        .map(Pid::from_raw)
        .collect()
}

static REGISTER: Mutex<Vec<Residue>> = Mutex::new(Vec::new());

fn register() -> MutexGuard<'static, Vec<Residue>> {
    // A panic while the lock is held leaves a list that is still right.
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Once a process: removes what dead processes left and answers signals from now on.
fn prepare() -> Result<()> {
    static ONCE: Once = Once::new();
    ensure!(geteuid().is_root(), "the lab makes network namespaces and needs root: try sudo");
    let mut result = Ok(());
    ONCE.call_once(|| {
        sweep();
        result = clean_up_on_signals();
    });
    result
}

fn clean_up_on_signals() -> Result<()> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).context("registering the signal handlers")?;
    std::thread::Builder::new().name("lab-signals".into()).spawn(move || {
        let Some(signal) = signals.forever().next() else { return };
        let register = register();
        // Namespaces were made after their lab's directory: last made, first removed.
        for residue in register.iter().rev() {
            if let Err(error) = residue.remove() {
                eprintln!("lab: {error:#}");
            }
        }
        if let Err(error) = emulate_default_handler(signal) {
            eprintln!("lab: ending on signal {signal}: {error}");
        }
        // The lock is held to the end: nothing is made any more.
        drop(register);
    })?;
    Ok(())
}

/// Removes what processes that no longer live have left behind.
fn sweep() {
    let namespaces = names(NETNS_DIR).into_iter().filter_map(|name| {
        let owner = owner(name.strip_prefix(NETNS_PREFIX)?)?;
        is_dead(owner).then_some(Residue::Namespace(name))
    });
    let directories = names(LABS_DIR).into_iter().filter_map(|name| {
        is_dead(owner(&name)?).then_some(Residue::Directory(Path::new(LABS_DIR).join(name)))
    });
    for residue in namespaces.chain(directories) {
        if let Err(error) = residue.remove() {
            eprintln!("lab: left by an earlier run: {error:#}");
        }
    }
}

fn names(directory: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The pid in front of `<pid>-…`.
fn owner(name: &str) -> Option<i32> {
    name.split('-').next()?.parse().ok()
}

/// True for our own pid too: nothing is made before the sweep, so that was another process.
fn is_dead(pid: i32) -> bool {
    Pid::from_raw(pid) == Pid::this() || !Path::new("/proc").join(pid.to_string()).exists()
}

fn remove_namespace(path: &Path) -> Result<()> {
    for pid in processes_in(path) {
        // One that has just ended by itself is as good.
        let _gone = kill(pid, Signal::SIGKILL);
    }
    eventually("the processes in the namespace end", Duration::from_secs(5), || {
        processes_in(path).is_empty().then_some(())
    })?;
    unmount(path)?;
    fs::remove_file(path).or_else(absent)?;
    Ok(())
}

fn remove_directory(path: &Path) -> Result<()> {
    let bpffs = path.join(BPFFS);
    if bpffs.exists() {
        unmount(&bpffs)?;
    }
    fs::remove_dir_all(path).or_else(absent)?;
    Ok(())
}

fn unmount(path: &Path) -> Result<()> {
    match umount2(path, MntFlags::MNT_DETACH) {
        // Not a mount point, or not there: nothing to undo.
        Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => Ok(()),
        Err(errno) => Err(errno).with_context(|| format!("unmounting {}", path.display())),
    }
}

fn absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::{is_dead, owner};

    #[test]
    fn the_owner_of_a_name_is_the_pid_in_front() {
        assert_eq!(owner("123-0-client"), Some(123));
        assert_eq!(owner("123-0"), Some(123));
        assert_eq!(owner("mine"), None);
    }

    #[test]
    fn init_lives_and_a_pid_beyond_the_limit_does_not() {
        assert!(!is_dead(1));
        assert!(is_dead(1 << 23));
    }
}
