//! QEMU: from power on to power off.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{Clock, image::Image};
use crate::bpf_cargo::find_program;

/// The emulator; its package comes by setup.
pub(super) const QEMU: &str = "qemu-system-x86_64";

/// The signal that ends a guest whose time is up.
const KILL: i32 = 9;

/// No mitigations: nobody attacks a guest that lives for minutes, and they cost an emulated processor most.
const KERNEL: &str =
    "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on tsc=reliable";

/// Boots and shows each line that the guest's commands print, to the end.
pub(super) fn boot(
    image: &Image,
    clock: Clock,
    job: &Path,
    console: &Path,
    limit: Duration,
    each: &mut dyn FnMut(&str),
) -> Result<()> {
    let mut child = qemu(image, clock, job, console, limit)?
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run QEMU")?;
    let output = child.stdout.take().context("its output is piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read the guest's output")?;
        each(&String::from_utf8_lossy(&line));
    }
    let status = child.wait()?;
    // `timeout` ends as it ended the guest.
    if status.signal() == Some(KILL) {
        bail!("the guest was not done after {} s", limit.as_secs());
    }
    ensure!(
        status.success(),
        "{QEMU} failed ({status}); the kernel's words: {}",
        console.display()
    );
    Ok(())
}

fn qemu(
    image: &Image,
    clock: Clock,
    job: &Path,
    console: &Path,
    limit: Duration,
) -> Result<Command> {
    let processors = match clock {
        Clock::Own => ["-accel", "tcg,thread=multi", "-smp", "2"].as_slice(),
        Clock::Instructions => {
            &["-accel", "tcg,thread=single", "-smp", "1", "-icount", "shift=0,sleep=off"]
        }
    };
    let qemu = find_program(QEMU).with_context(|| format!("{QEMU} is not there"))?;
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", &limit.as_secs().to_string()]).arg(qemu);
    command
        .args(processors)
        .args(["-cpu", "max,la57=off", "-m", "3072"])
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-net", "none"])
        .args(["-append", KERNEL])
        .arg("-kernel")
        .arg(&image.vmlinuz)
        .arg("-initrd")
        .arg(&image.initramfs)
        .args(["-serial", &format!("file:{}", console.display())])
        .args(["-device", "virtio-serial", "-chardev", "file,id=out,path=/dev/stdout"])
        .args(["-device", "virtserialport,chardev=out"])
        .args(["-virtfs", &share("/".as_ref(), "host", ",readonly=on,multidevs=remap")])
        .args(["-virtfs", &share(job, "job", "")]);
    Ok(command)
}

fn share(path: &Path, name: &str, more: &str) -> String {
    // A comma in a value is doubled.
    let path = path.display().to_string().replace(',', ",,");
    format!("local,path={path},mount_tag={name},security_model=none{more}")
}
