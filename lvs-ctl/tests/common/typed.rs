//! Lines of lvs-ctl, typed.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use super::Scratch;

/// lvs-ctl itself.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_lvs-ctl");

/// Runs a line of words of a program, with this standard input.
pub fn run_with(program: &Path, socket: &Path, line: &str, stdin: &str) -> Output {
    let mut child = Command::new(program)
        .args(line.split_whitespace())
        .env("LVS_SOCKET", socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Runs a line of words of lvs-ctl.
pub fn run(scratch: &Scratch, line: &str) -> Output {
    run_with(Path::new(PROGRAM), &scratch.socket(), line, "")
}

/// Standard output of a line that succeeds without a word on standard error.
pub fn ok(scratch: &Scratch, line: &str) -> String {
    let output = run(scratch, line);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    assert!(output.status.success(), "{line}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line on standard error of a line that fails and prints nothing else.
pub fn refused(scratch: &Scratch, line: &str) -> String {
    let output = run(scratch, line);
    assert!(!output.status.success(), "{line}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{line}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.matches('\n').count(), 1, "{line}: {error}");
    error.trim_end().to_owned()
}
