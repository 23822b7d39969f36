//! Another kernel: Debian's, under QEMU, on this machine's files.
//!
//! The guest has an initramfs of our own ([`image`]): Debian's kernel modules and a script that loads them and
//! lays a file system in memory over this machine's files, which it sees read-only. So whatever was built here
//! runs there, with the programs that are installed here; nothing that it writes stays. It has no network.
//! The kernel is downloaded and unpacked, not installed ([`packages`]). Emulated, it is ten to thirty times
//! slower than this machine.

mod boot;
mod cpio;
mod image;
mod modules;
mod packages;

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{steps::Tally, workspace};
use image::Image;
use packages::Kernel;

/// Variables of ours that commands in the guest get as well.
const KEPT: &[&str] = &["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTC", "CARGO"];

/// A guest, ready to boot.
pub(crate) struct Guest {
    image: Image,
    clock: Clock,
    directory: PathBuf,
}

/// What a guest's time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// This machine's; it has two processors.
    Own,
    /// The instructions of its one processor: a nanosecond each, whatever this machine does meanwhile.
    Instructions,
}

impl Guest {
    /// A guest with Debian's kernel of this version (`6.1`), downloaded if it is not there yet.
    pub(crate) fn new(version: &str) -> Result<Self> {
        Self::make(version, Clock::Own, &[])
    }

    /// The same, whose clock counts its instructions, and which has these modules as well.
    pub(crate) fn counting(version: &str, modules: &[&str]) -> Result<Self> {
        Self::make(version, Clock::Instructions, modules)
    }

    fn make(version: &str, clock: Clock, modules: &[&str]) -> Result<Self> {
        let directory = workspace::target()?.join("vm");
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let kernel = Kernel::get(version, &directory)?;
        let image = image::build(&kernel, modules, &directory)?;
        eprintln!("vm: kernel {}, on {}", kernel.release, directory.display());
        Ok(Self { image, clock, directory })
    }

    /// Boots it, runs the commands of each lane one after the other, whether they fail or not, all lanes at the same
    /// time, and passes on what they print.
    ///
    /// # Errors
    /// One of them fails, or the guest does not end within the limit.
    pub(crate) fn run(
        &self,
        lanes: &[Vec<Command>],
        limit: Duration,
        tally: &mut Tally,
    ) -> Result<()> {
        self.listen(lanes, limit, &mut |line| {
            println!("{line}");
            tally.read(line);
        })
    }

    /// The same, showing each line.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn listen(
        &self,
        lanes: &[Vec<Command>],
        limit: Duration,
        each: &mut dyn FnMut(&str),
    ) -> Result<()> {
        // Others may run at the same time.
        let job = self.directory.join(format!("job-{}", std::process::id()));
        fs::create_dir(&job)?;
        fs::write(job.join("script"), script(lanes)?)?;
        let workspace = workspace::root().to_str().context("the workspace's path is not UTF-8")?;
        fs::write(job.join("workspace"), format!("{workspace}\n"))?;
        let console = self.directory.join("console");
        let booted = boot::boot(&self.image, self.clock, &job, &console, limit, each);
        let status = fs::read_to_string(job.join("status"));
        fs::remove_dir_all(&job)?;
        booted?;
        let status =
            status.context("the guest ended before its commands did: see target/vm/console")?;
        ensure!(status.trim() == "0", "in the guest: {} failed", status.trim());
        Ok(())
    }
}

/// What the guest's shell runs: its exit status is how many of the commands failed.
fn script(lanes: &[Vec<Command>]) -> Result<String> {
    let mut text = String::new();
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            writeln!(text, "export {name}={}", quote(&value)?)?;
        }
    }
    text.push_str("lanes=\n");
    for lane in lanes {
        text.push_str("(\nfailed=0\n");
        for command in lane {
            text.push_str(&line(command)?);
        }
        text.push_str("exit $failed\n) &\nlanes=\"$lanes $!\"\n");
    }
    text.push_str("failed=0\nfor lane in $lanes; do wait $lane || failed=$((failed + $?)); done\n");
    text.push_str("exit $failed\n");
    Ok(text)
}

/// Shows a command, runs it, and counts its failure.
fn line(command: &Command) -> Result<String> {
    let mut text = String::new();
    let directory = command.get_current_dir().unwrap_or_else(|| Path::new("/"));
    let shown = workspace::show(command);
    writeln!(text, "printf '%s\\n' {}", quote(format!("guest$ {shown}").as_ref())?)?;
    write!(text, "(cd {}", quote(directory.as_os_str())?)?;
    for (name, value) in command.get_envs() {
        if let (Some(name), Some(value)) = (name.to_str(), value) {
            write!(text, " && export {name}={}", quote(value)?)?;
        }
    }
    text.push_str(" && exec");
    for word in [command.get_program()].into_iter().chain(command.get_args()) {
        write!(text, " {}", quote(word)?)?;
    }
    text.push_str(") || { echo \"guest: exit status $?\"; failed=$((failed + 1)); }\n");
    Ok(text)
}

/// The word as a shell takes it for itself.
fn quote(word: &OsStr) -> Result<String> {
    let word = word.to_str().with_context(|| format!("not UTF-8: {}", word.display()))?;
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_runs_where_it_belongs_and_failures_are_counted() {
        let mut first = Command::new("/bin/false");
        first.current_dir("/a b").env("NAME", "it's").arg("$x");
        let second = Command::new("/bin/true");
        let script = script(&[vec![first, second]]).unwrap();
        let line = r"(cd '/a b' && export NAME='it'\''s' && exec '/bin/false' '$x') || ";
        assert!(script.contains(line), "{script}");
        assert!(script.contains("(cd '/' && exec '/bin/true')"), "{script}");
        assert!(script.ends_with("exit $failed\n"));
    }

    #[test]
    fn the_shell_understands_the_script() {
        let fails = || Command::new("false");
        let mut prints = Command::new("printf");
        prints.args(["%s,", "a 'b'", "c"]);
        let script = script(&[vec![fails(), prints], vec![fails()]]).unwrap();
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains("a 'b',c,"), "{printed}");
    }
}
