//! The configuration file read again by a command.

mod common;

use std::fs;

use common::{
    Scratch,
    configured::{FILE, configured, file},
    typed::{ok, run},
};
use serde_json::Value;

fn write(scratch: &Scratch, text: &str) {
    fs::write(file(scratch), text).unwrap();
}

#[test]
fn what_was_changed_in_the_file_is_applied_and_nothing_else() {
    let scratch = configured();
    ok(&scratch, "service add tcp:192.0.2.2:80");
    assert_eq!(ok(&scratch, "reload"), "");
    write(&scratch, &format!("{FILE}weight = 3\n"));
    assert_eq!(
        ok(&scratch, "reload"),
        "~ backend tcp:192.0.2.1:80 192.0.2.11:80: weight 1 -> 3 (0 connections)\n"
    );
    let commits = scratch.plane.state().commits.clone();
    assert_eq!(commits.last().unwrap().len(), 1);
    write(&scratch, "interfaces = [\"eth0\"]\nconnections = 100\n");
    let answer: Value = serde_json::from_str(&ok(&scratch, "reload --json")).unwrap();
    assert_eq!(answer["steps"][0]["text"], "- service tcp:192.0.2.1:80 with 1 backend");
    assert_eq!(ok(&scratch, "save"), "--set 900 120 300\n-A -t 192.0.2.2:80 -s wlc\n");
}

#[test]
fn what_waits_for_a_start_is_said_and_the_rest_is_done() {
    let scratch = configured();
    write(&scratch, &FILE.replace("100", "200").replace("192.0.2.11", "192.0.2.12"));
    let output = run(&scratch, "reload");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "lvs-ctl: connections: 100 -> 200 after `lvs-ctl detach' and a new start\n\
         lvs-ctl: connections6: 100 -> 200 after `lvs-ctl detach' and a new start\n"
    );
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "- backend tcp:192.0.2.1:80 192.0.2.11:80 (0 connections)\n\
         + backend tcp:192.0.2.1:80 192.0.2.12:80: method dr, weight 1\n"
    );
}

#[test]
fn hooks_change_with_the_file_and_are_shown() {
    let scratch = configured();
    let hook = "[[hook]]\ncommand = [\"/usr/lib/notify\", \"a b\"]\n";
    write(&scratch, &format!("{FILE}{hook}on = [\"down\", \"up\"]\n"));
    assert_eq!(ok(&scratch, "reload"), "+ hook /usr/lib/notify a b: timeout 10s, on down up\n");
    assert_eq!(ok(&scratch, "reload"), "");
    write(&scratch, &format!("{FILE}{hook}timeout = \"5s\"\n"));
    assert_eq!(
        ok(&scratch, "reload"),
        "- hook /usr/lib/notify a b\n+ hook /usr/lib/notify a b: timeout 5s\n"
    );
    // Nothing of a file that cannot be used holds.
    write(&scratch, &format!("{FILE}weight = -1\n"));
    assert!(!run(&scratch, "reload").status.success());
    write(&scratch, FILE);
    assert_eq!(ok(&scratch, "reload"), "- hook /usr/lib/notify a b\n");
}

#[test]
fn a_file_with_a_mistake_changes_nothing_and_the_caller_is_told() {
    let scratch = configured();
    let before = ok(&scratch, "save --json");
    let shown = file(&scratch).display().to_string();
    for (text, expected) in [
        (
            FILE.replace("[[service.backend]]", "weight = 3\n[[service.backend]]"),
            format!(
                "{shown}:7:1: service[0].weight: unknown field `weight`, expected one of `listen`, `protocol`, `address`, `port`, `mark`, `family`, `scheduler`, `flags`, `persistent`, `netmask`, `engine`, `one_packet`, `check`, `health`, `backend`"
            ),
        ),
        (
            FILE.replace("192.0.2.11", "255.255.255.255").replace(":80", ":81"),
            format!("{shown}:7:1: service[0].backend[0]: the real server's address is not unicast"),
        ),
    ] {
        write(&scratch, &text);
        let output = run(&scratch, "reload");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("lvs-ctl: {expected}\n"));
        assert_eq!(ok(&scratch, "save --json"), before);
    }
    fs::remove_file(file(&scratch)).unwrap();
    let output = run(&scratch, "reload");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!("lvs-ctl: cannot read {shown}: No such file or directory (os error 2)\n")
    );
    assert_eq!(ok(&scratch, "save --json"), before);
}

#[test]
fn a_controller_that_reads_no_file_says_so() {
    let scratch = Scratch::start();
    let output = run(&scratch, "reload");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "lvs-ctl: this controller reads no file\n"
    );
}

#[test]
fn a_controller_starts_with_a_file_that_is_right_or_not_at_all() {
    let scratch = Scratch::start();
    let path = file(&scratch);
    let run = |text: &str| {
        fs::write(&path, text).unwrap();
        let output = run(&scratch, &format!("run --config {}", path.display()));
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap().replace(&path.display().to_string(), "FILE")
    };
    assert_eq!(run(""), "lvs-ctl: no interface is named, neither by --interface nor in FILE\n");
    assert_eq!(
        run("interfaces = [\"lo\"]\n[[service]]\nlisten = \"tcp\""),
        "lvs-ctl: FILE:3:10: service[0].listen: `' is no address with port\n"
    );
    fs::remove_file(&path).unwrap();
    let missing = crate::run(&scratch, &format!("detach --config {}", path.display()));
    assert_eq!(
        String::from_utf8(missing.stderr).unwrap(),
        format!(
            "lvs-ctl: cannot read {}: No such file or directory (os error 2)\n",
            path.display()
        )
    );
}
