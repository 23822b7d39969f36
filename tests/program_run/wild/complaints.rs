//! What the kernel says meanwhile.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
};

/// What it says only when something is wrong with it.
const ALARMS: [&str; 10] = [
    "BUG:",
    "WARNING:",
    "Oops",
    "Call Trace",
    "general protection",
    "soft lockup",
    "hung task",
    "UBSAN",
    "KASAN",
    "verifier",
];

/// The kernel's log from here on.
pub(super) struct Log(File);

impl Log {
    pub(super) fn from_now_on() -> Self {
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg");
        let mut file = file.expect("the kernel's log is there for root");
        file.seek(SeekFrom::End(0)).expect("it has an end");
        Self(file)
    }

    /// The lines that say that something is wrong.
    pub(super) fn alarms(&mut self) -> Vec<String> {
        let mut alarms = Vec::new();
        let mut line = [0; 8192];
        loop {
            match self.0.read(&mut line) {
                Ok(length) => {
                    let line = String::from_utf8_lossy(&line[..length]);
                    if ALARMS.iter().any(|alarm| line.contains(alarm)) {
                        alarms.push(line.into_owned());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return alarms,
                // Lines were overwritten before they were read: go on with the oldest.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                Err(error) => panic!("the kernel's log: {error}"),
            }
        }
    }
}
