//! The demonstration ends well, and leaves nothing behind however it ends.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::lab::{left_by, send};

#[test]
fn the_demonstration_shows_splits_counters_and_the_path_and_cleans_up() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo")).stdout(Stdio::piped()).spawn().unwrap();
    let shown = std::io::read_to_string(demo.stdout.take().unwrap()).unwrap();
    assert!(demo.wait().unwrap().success(), "{shown}");
    for part in [
        "director# ipvsadm -a -t 192.168.4.15:80 -r 192.168.4.200 -w 1 -g\n",
        "     20 nat-200\n",
        "     30 dr-100\n     10 dr-200\n",
        "TCP  192.168.4.5:80                     40 ",
        "eth1       native ",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    assert!(!shown.contains('\x1b'), "colours are for terminals");
    assert_eq!(left_by(&demo), Vec::<String>::new());
}

#[test]
fn an_interrupted_demonstration_leaves_nothing() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo")).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut requests = lines.skip_while(|line| !line.starts_with("client$"));
    assert!(requests.next().is_some());
    assert!(!left_by(&demo).is_empty());
    send(&demo, "INT");
    assert!(!demo.wait().unwrap().success());
    assert_eq!(left_by(&demo), Vec::<String>::new());
}
