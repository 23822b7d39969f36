//! A director: `lvs-ctl run` in a host's namespace, with socket, pins and state of its own.
#![forbid(unsafe_code)]

use std::{
    env, fmt, fs,
    os::unix::{fs::symlink, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use crate::{
    assert::eventually, netns::Netns, process::Process, topology::Host, web::sibling_program,
};

/// How long the controller may take to verify, load and attach its program and to open its socket.
const START_LIMIT: Duration = Duration::from_mins(3);

/// How long it may take to end when asked to.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// What a failing test wants to know of the director.
const QUESTIONS: [&str; 2] = ["lvs-ctl status", "ipvsadm -Ln --stats"];

/// Names by which `lvs-ctl` is also called.
const NAMES: [&str; 4] = ["lvs-ctl", "ipvsadm", "ipvsadm-save", "ipvsadm-restore"];

/// `--mode`: where the program is hooked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the driver.
    Native,
    /// In the stack, on packets of the kernel.
    Generic,
    /// As the controller thinks best.
    Auto,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Auto => "auto",
        })
    }
}

/// How to run the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Interfaces that carry the program.
    pub interfaces: Vec<String>,
    /// Where it is hooked in.
    pub mode: Mode,
    /// Further arguments of `lvs-ctl run`.
    pub arguments: Vec<String>,
    /// Variables of its environment beside ours.
    pub environment: Vec<(String, String)>,
    /// The program to run; `None`: [`controller_program`].
    pub program: Option<PathBuf>,
}

impl Settings {
    /// All the host's interfaces, nothing further.
    #[must_use]
    pub fn new(host: &Host, mode: Mode) -> Self {
        Self {
            interfaces: host.interfaces().to_vec(),
            mode,
            arguments: Vec::new(),
            environment: Vec::new(),
            program: None,
        }
    }
}

/// What a command answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The command.
    pub line: String,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// The standard output of a command that exited with 0.
    ///
    /// # Errors
    ///
    /// When it did not: with all it said.
    pub fn ok(self) -> Result<String> {
        if self.code == Some(0) { Ok(self.stdout) } else { bail!("{self}") }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, code, stdout, stderr } = self;
        match code {
            Some(code) => write!(f, "$ {line}\n{stdout}{stderr}(exit code {code})"),
            None => write!(f, "$ {line}\n{stdout}{stderr}(ended by a signal)"),
        }
    }
}

/// A director. Dropped, the controller is killed and the data plane detached.
#[derive(Debug)]
pub struct Director {
    netns: Arc<Netns>,
    program: PathBuf,
    settings: Settings,
    places: Places,
    controller: Option<Process>,
}

/// Files of one director, named after its host, in the lab's directory.
#[derive(Debug)]
struct Places {
    directory: PathBuf,
    /// Where `lvs-ctl` is found by all its names.
    names: PathBuf,
    socket: PathBuf,
    pins: PathBuf,
    state: PathBuf,
    config: PathBuf,
    log: PathBuf,
}

impl Director {
    /// Runs the controller on all interfaces of the host, and returns when it answers.
    pub fn start(host: &Host, mode: Mode) -> Result<Self> {
        Self::start_with(host, Settings::new(host, mode))
    }

    /// Runs the controller, and returns when it answers.
    ///
    /// # Errors
    ///
    /// When `lvs-ctl` is not found, ends, or does not answer in time: with its log.
    pub fn start_with(host: &Host, settings: Settings) -> Result<Self> {
        let netns = Arc::clone(host.netns());
        let program = settings.program.clone().map_or_else(controller_program, Ok)?;
        let places = Places::make(host, &program)?;
        let mut director = Self { netns, program, settings, places, controller: None };
        director.run()?;
        Ok(director)
    }

    /// SIGKILL to the controller; the data plane stays.
    pub fn kill(&mut self) -> Result<()> {
        self.controller.take().context("the controller is not running")?.kill()
    }

    /// SIGTERM to the controller, and waits for its end; the data plane stays.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let mut controller = self.controller.take().context("the controller is not running")?;
        controller.signal(Signal::SIGTERM)?;
        controller.wait(STOP_LIMIT)
    }

    /// Runs the controller anew, after [`Self::kill`] or [`Self::stop`], with the same settings, and
    /// returns when it answers.
    pub fn run(&mut self) -> Result<()> {
        if self.controller.is_some() {
            bail!("the controller is running");
        }
        let mut command = self.netns.command(&self.program);
        command.arg("run");
        for interface in &self.settings.interfaces {
            command.args(["--interface", interface]);
        }
        command.arg("--mode").arg(self.settings.mode.to_string());
        self.places.name_to(&mut command);
        command.args(&self.settings.arguments).current_dir(&self.places.directory);
        command.envs(self.settings.environment.iter().map(|(name, value)| (name, value)));
        self.netns.lab().note(format!("{command:?}"));
        self.controller = Some(Process::start(command, &self.places.log)?);
        self.wait_for_answer()
    }

    /// The settings of the next [`Self::run`].
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Takes the program off and has rules and connections forgotten, as `lvs-ctl detach` does.
    ///
    /// # Errors
    ///
    /// Also while the controller is running.
    pub fn detach(&self) -> Result<()> {
        let mut command = self.netns.command(&self.program);
        command.arg("detach");
        self.places.name_to(&mut command);
        let output = command.stdin(Stdio::null()).output().context("running lvs-ctl detach")?;
        crate::netns::text("lvs-ctl detach", &output).map(drop)
    }

    /// A command on the director, in the lab's directory: `lvs-ctl` and, by these names, `ipvsadm`,
    /// `ipvsadm-save` and `ipvsadm-restore` are this controller's.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let path = env::var("PATH").unwrap_or_default();
        let mut command = self.netns.command(program);
        command
            .env("PATH", format!("{}:{path}", self.places.names.display()))
            .env("LVS_SOCKET", &self.places.socket)
            .env("LVS_PIN_DIR", &self.places.pins)
            .env("LVS_STATE_DIR", &self.places.state)
            .env("LVS_CONFIG", &self.places.config)
            .current_dir(&self.places.directory);
        command
    }

    /// Runs a line of shell on the director, as [`Self::command`] does; files it names lie in the lab.
    pub fn shell(&self, line: &str) -> Result<Said> {
        self.netns.lab().note(format!("director$ {line}"));
        let output = self
            .command("sh")
            .args(["-c", line])
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("running {line}"))?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said {
            line: line.into(),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }

    /// Runs `ipvsadm` with these arguments; all must be well. Returns what it printed.
    pub fn ipvsadm(&self, arguments: &str) -> Result<String> {
        self.shell(&format!("ipvsadm {arguments}"))?.ok()
    }

    /// Runs `lvs-ctl` with these arguments; all must be well. Returns what it printed.
    pub fn lvs_ctl(&self, arguments: &str) -> Result<String> {
        self.shell(&format!("lvs-ctl {arguments}"))?.ok()
    }

    /// The controller's process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.controller.as_ref().map(Process::pid)
    }

    /// What the controller has logged since the first start.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.places.log).unwrap_or_default()
    }

    /// The API's socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.places.socket
    }

    /// Where links and maps are pinned.
    #[must_use]
    pub fn pin_dir(&self) -> &Path {
        &self.places.pins
    }

    /// Where the controller keeps its state.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.places.state
    }

    /// The controller's configuration file: empty, unless a test writes it.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.places.config
    }

    fn wait_for_answer(&mut self) -> Result<()> {
        let Self { controller: Some(controller), places, .. } = self else {
            bail!("the controller is not running");
        };
        let look = || match controller.ended() {
            Ok(None) => UnixStream::connect(&places.socket).is_ok().then(|| Ok(())),
            Ok(Some(status)) => Some(Err(anyhow::anyhow!("lvs-ctl run ended: {status}"))),
            Err(error) => Some(Err(error)),
        };
        let opened = eventually("lvs-ctl opens its socket", START_LIMIT, look)
            .flatten()
            .and_then(|()| self.lvs_ctl("status"));
        opened.map(drop).with_context(|| format!("the controller's log:\n{}", self.log()))
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        if thread::panicking() {
            for question in QUESTIONS {
                match self.shell(question) {
                    Ok(said) => eprintln!("{said}"),
                    Err(error) => eprintln!("{error:#}"),
                }
            }
        }
        // First the controller, then what it would attach again.
        drop(self.controller.take());
        if let Err(error) = self.detach() {
            // What is left goes with the lab's BPF file system and its namespaces.
            eprintln!("lab: {error:#}");
        }
    }
}

impl Places {
    fn make(host: &Host, program: &Path) -> Result<Self> {
        let lab = host.netns().lab();
        let named = |what: &str| lab.directory().join(format!("{}{what}", host.name()));
        let places = Self {
            directory: lab.directory().into(),
            names: named("-bin"),
            socket: named(".sock"),
            pins: lab.mount_bpffs()?.join(host.name()),
            state: named("-state"),
            config: named(".toml"),
            log: named(".log"),
        };
        for directory in [&places.names, &places.state] {
            fs::create_dir_all(directory)?;
        }
        if !places.config.exists() {
            fs::write(&places.config, "")?;
        }
        for name in NAMES {
            let link = places.names.join(name);
            if !link.exists() {
                symlink(program, link)?;
            }
        }
        Ok(places)
    }

    fn name_to(&self, command: &mut Command) {
        command.arg("--socket").arg(&self.socket);
        command.arg("--pin-dir").arg(&self.pins);
        command.arg("--state-dir").arg(&self.state);
        // Not by `--config`: an older program takes no file.
        command.env("LVS_CONFIG", &self.config);
    }
}

/// The program `lvs-ctl`: named by `LVS_CTL`, or beside the running program (`target/<profile>`).
///
/// # Errors
///
/// When it is not there: says how to build it.
pub fn controller_program() -> Result<PathBuf> {
    if let Some(named) = env::var_os("LVS_CTL") {
        return fs::canonicalize(&named).with_context(|| format!("LVS_CTL={}", named.display()));
    }
    sibling_program("lvs-ctl")
        .context("lvs-ctl is not built: cargo build -p lvs-ctl (or set LVS_CTL)")
}
