//! A running controller, and the programs of the ipvsadm package beside it.

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use lvs_ctl::api::SOCKET_VARIABLE;
use lvs_tests::{assert::eventually, rig::Place};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The interfaces of the machine that was recorded.
const INTERFACES: &str = "\
link add d0 type veth peer name d0-end
link set d0 up
link set d0-end up
address add 198.51.100.1/24 dev d0
link add d1 type veth peer name d1-end
link add d2 type veth peer name d2-end
link set d2 up
link set d2-end up";

/// `lvs-ctl run` in the network of a [`Place`], until it is dropped.
pub(crate) struct Controller {
    directory: PathBuf,
    process: Child,
}

/// What a program said.
pub(crate) struct Said {
    pub(crate) output: String,
    pub(crate) error: String,
    pub(crate) exit: i32,
}

impl Controller {
    /// Starts it, with the names and interfaces of the machine that was recorded.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(place: &Place) -> Result<Self> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lvs-ctl/testdata");
        place.overlay(&data.join("hosts"), Path::new("/etc/hosts"))?;
        place.overlay(&data.join("services"), Path::new("/etc/services"))?;
        place.ip(INTERFACES)?;

        let program = env::current_exe()?.with_file_name("lvs-ctl");
        ensure!(program.exists(), "{} is not built", program.display());
        let directory = env::temp_dir().join(format!("lvs-oracle-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        for name in ["ipvsadm", "ipvsadm-save", "ipvsadm-restore"] {
            symlink(&program, directory.join(name))
                .with_context(|| format!("cannot make {name}"))?;
        }
        let log = fs::File::create(directory.join("log"))?;
        let process = Command::new(&program)
            .args(["run", "--interface", "servers", "--mode", "generic", "--connections", "1000"])
            .env(SOCKET_VARIABLE, directory.join("socket"))
            .env("LVS_PIN_DIR", place.bpffs().join("lvs-oracle"))
            .env("LVS_STATE_DIR", directory.join("state"))
            .env("LVS_CONFIG", "/dev/null")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start lvs-ctl")?;
        let mut controller = Self { directory, process };
        let answers = |controller: &mut Self| {
            let gone = controller.process.try_wait().ok().flatten().is_some();
            let listed = controller.run(&["ipvsadm".to_owned()], "");
            (gone || listed.is_ok_and(|said| said.exit == 0)).then_some(gone)
        };
        let gone =
            eventually("lvs-ctl answers", Duration::from_secs(20), || answers(&mut controller))?;
        ensure!(!gone, "lvs-ctl ended: {}", fs::read_to_string(controller.directory.join("log"))?);
        Ok(controller)
    }

    /// Runs one of the programs.
    ///
    /// # Errors
    /// It cannot be run.
    pub(crate) fn run(&self, argv: &[String], stdin: &str) -> Result<Said> {
        let (name, words) = argv.split_first().context("an empty command")?;
        let mut child = Command::new(self.directory.join(name))
            .args(words)
            .env(SOCKET_VARIABLE, self.directory.join("socket"))
            .env("LANG", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        if let Some(mut input) = child.stdin.take() {
            // One that does not read it is no trouble.
            input.write_all(stdin.as_bytes()).ok();
        }
        let output = child.wait_with_output()?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said {
            output: text(&output.stdout),
            error: text(&output.stderr),
            exit: output.status.code().unwrap_or(-1),
        })
    }

    /// An empty table; and, if they may have been changed, IPVS's timeouts and no daemons.
    ///
    /// # Errors
    /// It cannot be cleared.
    pub(crate) fn clear(&self, settings: bool) -> Result<()> {
        let lines: &[&str] =
            &["-C", "--set 900 120 300", "--stop-daemon master", "--stop-daemon backup"];
        for line in if settings { lines } else { &lines[..1] } {
            let words: Vec<String> =
                ["ipvsadm"].into_iter().chain(line.split(' ')).map(str::to_owned).collect();
            let said = self.run(&words, "")?;
            // There may be no daemon to stop.
            ensure!(said.exit == 0 || line.contains("daemon"), "{line}: {}", said.error);
        }
        Ok(())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.process.id()) {
            kill(Pid::from_raw(id), Signal::SIGTERM).ok();
        }
        self.process.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}
