use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::TempDir;

use super::*;

/// A script in `directory`, which a check of it runs with `argument`.
fn script(directory: &Path, text: &str, argument: &str) -> String {
    let path = directory.join("check");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("type = \"exec\"\ncommand = [\"{}\", \"{argument}\"]", path.display())
}

fn at() -> SocketAddr {
    "127.0.0.1:8080".parse().unwrap()
}

/// A file that another process was still writing when a third one was born cannot be run yet.
async fn ended(toml: &str) -> Outcome {
    loop {
        match outcome(toml, at()).await {
            Outcome::Failed(Failure::Program(words)) if words.contains("busy") => (),
            outcome => return outcome,
        }
    }
}

#[tokio::test]
async fn exit_codes_mean_what_they_mean_to_misc_check() {
    let directory = TempDir::new().unwrap();
    let exits = |code: &str| script(directory.path(), "exit $1", code);
    assert_eq!(ended(&exits("0")).await, good());
    assert_eq!(ended(&exits("1")).await, failed(Failure::Exit(1)));
    for (code, weight) in [("2", 0), ("100", 98), ("255", 253)] {
        let good = Good { weight: Some(weight), warning: None };
        assert_eq!(ended(&exits(code)).await, Outcome::Good(good));
    }
    let killed = script(directory.path(), "kill -9 $$", "");
    assert_eq!(ended(&killed).await, failed(Failure::Signal(9)));
}

#[tokio::test]
async fn a_program_is_told_what_to_check_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("environment");
    let text = "/usr/bin/env | /usr/bin/sort > \"$1\"";
    let toml = script(directory.path(), text, out.to_str().unwrap());
    assert_eq!(ended(&toml).await, good());
    let environment = fs::read_to_string(out).unwrap();
    for line in [
        "LVS_SERVICE=tcp:192.0.2.1:80",
        "LVS_PROTOCOL=tcp",
        "LVS_VIP=192.0.2.1",
        "LVS_VPORT=80",
        "LVS_RIP=127.0.0.1",
        "LVS_RPORT=8080",
        "LVS_ADDRESS=127.0.0.1",
        "LVS_PORT=8080",
        "LVS_WEIGHT=7",
    ] {
        assert!(environment.lines().any(|it| it == line), "{line} in {environment}");
    }
    assert!(!environment.contains("CARGO"), "{environment}");
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_a_failure() {
    let toml = "type = \"exec\"\ncommand = [\"/nosuch/check\"]";
    let outcome = outcome(toml, at()).await;
    assert_eq!(outcome, failed(Failure::Program("No such file or directory".into())));
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_said_to_run() {
    let directory = TempDir::new().unwrap();
    let toml = script(directory.path(), "sleep 1000", "");
    let outcome = loop {
        match within(SHORT, &toml, at()).await {
            Outcome::Failed(Failure::Program(words)) if words.contains("busy") => (),
            outcome => break outcome,
        }
    };
    assert_eq!(outcome, failed(Failure::Timeout(Stage::Run)));
    let Outcome::Failed(failure) = outcome else { panic!("it failed") };
    assert_eq!(failure.to_string(), "timeout while running the program");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_its_children() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("pids");
    let text = "sleep 1000 &\necho $$ $! > \"$1.new\"\nmv \"$1.new\" \"$1\"\nwait";
    let toml = script(directory.path(), text, out.to_str().unwrap());
    let check = spec(&toml).read().unwrap();
    let probe = build(&check, &Authorities::default()).unwrap();
    let trip = Trip::new(errand(at(), &check), Target::plain(at()));
    let running = tokio::spawn(async move { run(&*probe, &trip, Duration::from_mins(10)).await });
    let pids = loop {
        match fs::read_to_string(&out) {
            Ok(text) => break text,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    // As when its time is over: the probe is dropped.
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    for pid in pids.split_whitespace() {
        let stat = format!("/proc/{pid}/stat");
        // Dead, if somebody has yet to take note of it.
        let is_over = |text: &str| text.rsplit(") ").next().unwrap_or_default().starts_with('Z');
        while fs::read_to_string(&stat).is_ok_and(|text| !is_over(&text)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
