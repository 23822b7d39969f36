//! The configuration file read again by a signal. The signal is for the whole process: no other test
//! stands here.

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    process::{self, Command},
};

use common::{
    configured::{FILE, configured, file},
    typed::ok,
};
use serde_json::Value;

#[test]
fn a_hangup_reloads() {
    let scratch = configured();
    let mut stream = UnixStream::connect(scratch.socket()).unwrap();
    write!(stream, "GET /v1/watch HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    // The head is there once the watch stands.
    while !lines.next().unwrap().is_empty() {}
    fs::write(file(&scratch), FILE.replace(":80", ":8080")).unwrap();
    let hangup = Command::new("kill").args(["-HUP", &process::id().to_string()]).status();
    assert!(hangup.unwrap().success());
    let event: Value =
        serde_json::from_str(&lines.find(|line| line.starts_with('{')).unwrap()).unwrap();
    let changes = event["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 4);
    assert!(ok(&scratch, "save").contains("-A -t 192.0.2.1:8080 -s wlc\n"));
}
