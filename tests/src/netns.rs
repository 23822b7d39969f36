//! A network namespace: made, entered, removed.
//!
//! Only the network is another one. Mounts stay the same (unlike under `ip netns exec`, which hides
//! `/sys/fs/bpf`), with one consequence: `/sys/class/net` shows the interfaces of the namespace that
//! sysfs was mounted in, not of this one. `/proc/sys/net` and `/proc/thread-self/net` are this one's.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write as _},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, atomic::AtomicU16},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::{
    ifaddrs::getifaddrs,
    net::if_::InterfaceFlags,
    sched::{CloneFlags, setns},
    sys::{prctl, signal::Signal},
    unistd::{Pid, getppid},
};

use crate::{
    assert::eventually,
    lab::Lab,
    residue::{self, NETNS_DIR, NETNS_PREFIX, Residue},
};

/// Clients' first port, above those of services.
const FIRST_PORT: u16 = 10_000;

/// A network namespace that `ip netns` sees. When it is dropped, the processes in it are killed and
/// it is removed.
#[derive(Debug)]
pub struct Netns {
    name: String,
    label: String,
    handle: Arc<File>,
    lab: Arc<Lab>,
    ports: AtomicU16,
}

impl Netns {
    /// A new, empty namespace called `lvs-lab-<number of the lab>-<label>`.
    pub fn new(lab: &Arc<Lab>, label: &str) -> Result<Self> {
        let name = format!("{NETNS_PREFIX}{}-{label}", lab.number());
        let handle = residue::make(Residue::Namespace(name.clone()), || {
            let added = Command::new("ip")
                .args(["netns", "add", &name])
                .output()
                .context("running ip (is iproute2 installed?)")?;
            text(&format!("ip netns add {name}"), &added)?;
            File::open(Path::new(NETNS_DIR).join(&name)).context("opening the new namespace")
        })?;
        let (handle, lab) = (Arc::new(handle), Arc::clone(lab));
        Ok(Self { name, label: label.into(), handle, lab, ports: AtomicU16::new(FIRST_PORT) })
    }

    /// As `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lab it belongs to.
    #[must_use]
    pub fn lab(&self) -> &Arc<Lab> {
        &self.lab
    }

    /// The next port for a client in it.
    pub(crate) fn ports(&self) -> &AtomicU16 {
        &self.ports
    }

    /// Runs the closure on a thread inside the namespace. Sockets made there stay there, whichever
    /// thread uses them later.
    ///
    /// # Panics
    ///
    /// When the closure does.
    pub fn run<R: Send>(&self, inside: impl FnOnce() -> R + Send) -> R {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter().expect("a thread of root enters a namespace held open");
                inside()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that will run inside the namespace and be killed when the thread that started it
    /// ends ([`crate::process::Process`] starts children on a thread that does not).
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let handle = Arc::clone(&self.handle);
        let parent = Pid::this();
        let enter = move || {
            setns(handle.as_fd(), CloneFlags::CLONE_NEWNET)?;
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before its death was subscribed to.
            if getppid() == parent {
                Ok(())
            } else {
                Err(io::Error::from_raw_os_error(libc::ESRCH))
            }
        };
        let mut command = Command::new(program);
        // SAFETY: between fork and exec the closure only makes the system calls setns, prctl and
        // getppid; it neither allocates nor takes a lock.
        unsafe { command.pre_exec(enter) };
        command
    }

    /// Runs a command to its end and returns what it printed.
    ///
    /// # Errors
    ///
    /// When it does not exit with 0: with both its outputs.
    pub fn exec(&self, argv: &[&str]) -> Result<String> {
        let (program, arguments) = argv.split_first().context("an empty command")?;
        let line = format!("{}$ {}", self.label, argv.join(" "));
        self.lab.note(&line);
        let output = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{line}: cannot be started"))?;
        text(&line, &output)
    }

    /// Runs lines of `ip` commands, without the `ip` in front, all at once.
    ///
    /// # Errors
    ///
    /// At the first that fails: with `ip`'s message, which has the line's number in it.
    pub fn ip<L: AsRef<str>>(&self, lines: &[L]) -> Result<()> {
        for line in lines {
            self.lab.note(format!("{}$ ip {}", self.label, line.as_ref()));
        }
        let script: String = lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect();
        let mut child = self
            .command("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("running ip (is iproute2 installed?)")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(script.as_bytes())?;
        }
        text(&format!("{}$ ip -batch -\n{script}", self.label), &child.wait_with_output()?)?;
        Ok(())
    }

    /// Sets a sysctl, named with dots or slashes, e.g. `net.ipv4.conf.all.arp_ignore`. An interface
    /// with a dot in its name wants slashes.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        self.lab.note(format!("{}$ sysctl -w {key}={value}", self.label));
        self.write_sysctl(key, value)
    }

    /// Like [`Self::sysctl`], without a word in the command log.
    pub(crate) fn write_sysctl(&self, key: &str, value: &str) -> Result<()> {
        let key = if key.contains('/') { key.to_owned() } else { key.replace('.', "/") };
        let path = Path::new("/proc/sys").join(key);
        self.run(|| fs::write(&path, value))
            .with_context(|| format!("writing {value} to {}", path.display()))
    }

    /// Waits until every interface but `lo` is up and running: only then are frames carried.
    pub fn wait_until_up(&self) -> Result<()> {
        let running = || {
            let entries = getifaddrs().ok()?.filter(|entry| entry.interface_name != "lo");
            let all = entries.map(|entry| entry.flags).reduce(InterfaceFlags::intersection);
            all.is_none_or(|flags| flags.contains(InterfaceFlags::IFF_RUNNING)).then_some(())
        };
        let what = format!("the interfaces of {} are running", self.name);
        self.run(|| eventually(&what, Duration::from_secs(10), running))
    }

    /// Processes inside, ourselves excepted.
    #[must_use]
    pub fn processes(&self) -> Vec<Pid> {
        residue::processes_in(&self.path())
    }

    fn path(&self) -> PathBuf {
        Path::new(NETNS_DIR).join(&self.name)
    }

    fn enter(&self) -> nix::Result<()> {
        setns(self.handle.as_fd(), CloneFlags::CLONE_NEWNET)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(error) = residue::remove(&Residue::Namespace(self.name.clone())) {
            eprintln!("lab: {error:#}");
        }
    }
}

/// The standard output of a command that went well.
pub(crate) fn text(line: &str, output: &Output) -> Result<String> {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{line}: {}\n{printed}{complaint}", output.status);
    }
    Ok(printed)
}
