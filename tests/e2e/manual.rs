//! The operator's manual, typed line by line.

use std::fmt::Write as _;

use lvs_tests::prelude::*;

use crate::cluster::{BOTH, Cluster};

const HEAD: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
";

/// What each line of the manual answers, in order. `ok` lines print nothing.
const EDITING: [(&str, Answer); 13] = [
    ("ipvsadm -A -t 192.168.4.5:80 -s rr", OK),
    ("ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.100:80", OK),
    // The port is the service's: it is the same real server.
    ("ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.100", refused("Destination already exists\n")),
    ("ipvsadm -E -t 192.168.4.5:80 -s wrr", OK),
    ("ipvsadm -a -t 192.168.4.5:3306 -r 192.168.2.201 -w 1 -m", refused("Service not defined\n")),
    ("ipvsadm -A -t 192.168.4.5:3306", OK),
    ("ipvsadm -a -t 192.168.4.5:3306 -r 192.168.2.201 -w 1 -m", OK),
    ("ipvsadm -a -t 192.168.4.5:3306 -r 192.168.2.200 -w 1 -m", OK),
    ("ipvsadm -e -t 192.168.4.5:3306 -r 192.168.2.201 -w 2 -m", OK),
    ("ipvsadm -d -t 192.168.4.5:3306 -r 192.168.2.200", OK),
    ("ipvsadm -D -t 192.168.4.5:80", OK),
    ("ipvsadm -D -t 192.168.4.5:80", refused("No such service\n")),
    ("ipvsadm -A -t 192.168.4.5:80", OK),
];

/// The manual's two clusters.
const CLUSTERS: [&str; 6] = [
    "ipvsadm -A -t 192.168.4.5:80 -s wrr",
    "ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.100 -w 1 -m",
    "ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.200 -w 1 -m",
    "ipvsadm -A -t 192.168.4.15:80 -s wrr",
    "ipvsadm -a -t 192.168.4.15:80 -r 192.168.4.100 -w 1 -g",
    "ipvsadm -a -t 192.168.4.15:80 -r 192.168.4.200 -w 1 -g",
];

/// Garbage, and the exit code of the real tool.
const GARBAGE: [(&str, i32); 12] = [
    ("ipvsadm -A -t 192.168.4.555:80", 2),
    ("ipvsadm -A -t 192.168.4.5:99999", 2),
    ("ipvsadm -A -t 192.168.4.5:80", 255),
    ("ipvsadm -A -t 192.168.4.6:80 -s nothing", 255),
    ("ipvsadm -a -t 192.168.4.5:80 -r nonsense::: -m", 2),
    ("ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.101 -w -1", 2),
    ("ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.101 -w much", 2),
    ("ipvsadm -a -t 192.168.4.5:80 -r 192.168.2.100 -m", 255),
    ("ipvsadm -a -t 192.168.4.5:81 -r 192.168.2.100 -m", 255),
    ("ipvsadm -d -t 192.168.4.5:80 -r 192.168.2.101", 255),
    ("ipvsadm -E -t 192.168.4.6:80 -s rr", 255),
    ("ipvsadm -D -t 192.168.4.6:80", 255),
];

#[derive(Clone, Copy)]
struct Answer {
    code: i32,
    stderr: &'static str,
}

const OK: Answer = Answer { code: 0, stderr: "" };

const fn refused(stderr: &'static str) -> Answer {
    Answer { code: 255, stderr }
}

#[test]
fn every_line_of_the_operators_manual_does_what_it_says() {
    let cluster = Cluster::manual(Mode::Native);
    let director = &cluster.director;
    for (line, Answer { code, stderr }) in EDITING {
        let said = director.shell(line).unwrap();
        let expected = (Some(code), "", stderr);
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), expected, "{line}");
    }
    let listing = format!(
        "{HEAD}\
TCP  192.168.4.5:80 wlc
TCP  192.168.4.5:3306 wlc
  -> 192.168.2.201:3306           Masq    2      0          0         \n"
    );
    assert_eq!(director.ipvsadm("-Ln").unwrap(), listing);
    // A name without a resolver in sight stays a number; those of ports are in /etc/services.
    let named = director.ipvsadm("-L").unwrap();
    assert!(named.contains(":http wlc\n") && named.contains(":mysql wlc\n"), "{named}");
    assert!(named.contains("192.168.2.201:mysql "), "{named}");
    assert_eq!(director.ipvsadm("-C").unwrap(), "");
    assert_eq!(director.ipvsadm("-Ln").unwrap(), HEAD);
}

#[test]
fn the_manuals_clusters_forward_are_listed_saved_and_restored_and_garbage_changes_nothing() {
    let cluster = Cluster::manual(Mode::Native);
    let director = &cluster.director;
    for line in CLUSTERS {
        director.shell(line).unwrap().ok().unwrap();
    }
    director.wait_until_resolved().unwrap();
    for way in BOTH {
        cluster.client().sequential(way.to(80), 20).assert_is(&way.split([10, 10]));
    }
    let stats = director.ipvsadm("-Ln --stats").unwrap();
    assert!(stats.contains("TCP  192.168.4.5:80                     20 "), "{stats}");

    director.shell("ipvsadm-save -n > rules").unwrap().ok().unwrap();
    let saved = director.shell("cat rules").unwrap().stdout;
    let mut expected = String::new();
    for line in CLUSTERS {
        let line = line.trim_start_matches("ipvsadm ");
        // As the real tool writes it: every port, method before weight.
        match line.split(' ').collect::<Vec<_>>()[..] {
            [_, "-t", vip, "-r", rip, "-w", weight, method] => {
                writeln!(expected, "-a -t {vip} -r {rip}:80 {method} -w {weight}").unwrap();
            }
            _ => writeln!(expected, "{line}").unwrap(),
        }
    }
    assert_eq!(saved, expected);

    for (line, code) in GARBAGE {
        let said = director.shell(line).unwrap();
        assert_eq!(said.code, Some(code), "{said}");
        assert_eq!(said.stderr.lines().count(), 1, "{said}");
        assert_eq!(said.stdout, "", "{said}");
        assert_eq!(director.shell("ipvsadm-save -n").unwrap().stdout, saved, "after {line}");
    }

    director.shell("ipvsadm -C; ipvsadm-restore < rules").unwrap().ok().unwrap();
    assert_eq!(director.shell("ipvsadm-save -n").unwrap().stdout, saved);
    director.wait_until_resolved().unwrap();
    for way in BOTH {
        cluster.client().sequential(way.to(80), 20).assert_is(&way.split([10, 10]));
    }
    // Garbage in a file of rules.
    let said = director.shell("echo '-A -t nonsense' | ipvsadm-restore").unwrap();
    assert_ne!(said.code, Some(0), "{said}");
}
