//! The program itself against a controller on a socket: verbs, JSON, one-line refusals, names of files.

mod common;

use std::{fs, os::unix::fs::symlink, path::Path};

use common::{
    Scratch,
    typed::{PROGRAM, ok, refused, run, run_with},
};
use lvs_ctl::model::{
    Connection, DestAddr, InterfaceStatus, Load, Peer, PlaneStatus, ProbingStatus, Protocol,
    ReasonCount, ServiceId,
};

fn cluster() -> Scratch {
    let scratch = Scratch::start();
    ok(&scratch, "service add tcp:192.0.2.1:80 --scheduler wrr --persistent 60");
    ok(&scratch, "backend add tcp:192.0.2.1:80 192.0.2.12 --weight 3");
    ok(&scratch, "backend add tcp:192.0.2.1:80 10.0.0.11:8080 --method nat --upper 9 --lower 4");
    scratch
}

#[test]
fn services_and_backends_are_added_and_listed() {
    let scratch = cluster();
    assert_eq!(
        ok(&scratch, "service list"),
        "SERVICE           SCHEDULER  BACKENDS  UP  ACTIVE  INACTIVE  OPTIONS\n\
         tcp:192.0.2.1:80  wrr        2         -   0       0         persistent=60\n"
    );
    assert_eq!(
        ok(&scratch, "backend list tcp:192.0.2.1:80"),
        "SERVICE           BACKEND         METHOD  STATE  WEIGHT  UPPER  LOWER  ACTIVE  INACTIVE  PERSISTENT\n\
         tcp:192.0.2.1:80  10.0.0.11:8080  nat     -      1       9      4      0       0         0\n\
         tcp:192.0.2.1:80  192.0.2.12:80   dr      -      3       0      0      0       0         0\n"
    );
    let stats = ok(&scratch, "service list --stats");
    assert_eq!(stats.lines().nth(1).unwrap().split_whitespace().count(), 6);
    let json: serde_json::Value =
        serde_json::from_str(&ok(&scratch, "service list --json")).unwrap();
    assert_eq!(json["services"][0]["dests"][1]["dest"]["weight"], 3);
}

#[test]
fn editing_changes_only_what_is_named() {
    let scratch = cluster();
    ok(&scratch, "service edit tcp:192.0.2.1:80 --scheduler sh --flags port");
    ok(&scratch, "backend edit tcp:192.0.2.1:80 10.0.0.11:8080 --weight 7");
    let listing = ok(&scratch, "ipvsadm -Ln --thresholds");
    assert!(listing.contains("sh (sh-port) persistent 60\n"), "{listing}");
    assert!(listing.contains("10.0.0.11:8080               9          4 "), "{listing}");
    assert!(ok(&scratch, "ipvsadm -Ln").contains("Masq    7 "));
    ok(&scratch, "service edit tcp:192.0.2.1:80 --persistent off --flags none");
    assert!(ok(&scratch, "ipvsadm -Sn").starts_with("-A -t 192.0.2.1:80 -s sh\n"));
}

#[test]
fn tunnels_and_marks_are_described() {
    let scratch = Scratch::start();
    ok(&scratch, "service add fwmark6:4294967295 --persistent 5 --netmask 64");
    ok(
        &scratch,
        "backend add fwmark6:4294967295 2001:db8::1 --method tun --tunnel gue --tunnel-port 6080",
    );
    ok(&scratch, "backend edit fwmark6:4294967295 2001:db8::1 --tunnel-checksum remote");
    assert_eq!(
        ok(&scratch, "save"),
        "--set 900 120 300\n\
         -A -f 4294967295 -6 -s wlc -p 5 -M 64\n\
         -a -f 4294967295 -6 -r [2001:db8::1]:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum\n"
    );
    ok(&scratch, "backend edit fwmark6:4294967295 2001:db8::1 --tunnel gre --tunnel-checksum full");
    assert!(ok(&scratch, "backend list").contains("tun:gre,checksum"));
}

#[test]
fn nonsense_is_refused_in_one_line_and_changes_nothing() {
    let scratch = cluster();
    let before = ok(&scratch, "save --json");
    for (line, expected) in [
        ("service add tcp:192.0.2.1:80", "tcp:192.0.2.1:80: Service already exists"),
        ("service add tcp:192.0.2.1", "`tcp:192.0.2.1' has no port"),
        (
            "service add 192.0.2.1:80",
            "`192.0.2.1:80' is no virtual service: it begins with tcp:, udp:, sctp:, fwmark: or fwmark6:",
        ),
        ("service add tcp:192.0.2.300:80", "`192.0.2.300:80' is no address with port"),
        ("service add tcp:192.0.2.1:70000", "`192.0.2.1:70000' is no address with port"),
        ("service add fwmark:0", "`0' is no firewall mark: 1 to 4294967295"),
        ("service add tcp:192.0.2.1:0", "port 0 (every port) needs --persistent"),
        ("service add tcp:192.0.2.2:80 --one-packet", "--one-packet is for UDP services"),
        ("service add tcp:192.0.2.2:80 --netmask 24", "--netmask needs --persistent"),
        (
            "service add tcp:192.0.2.2:80 --persistent 0",
            "`0' is no persistence timeout: 1 to 2678400 seconds, or off",
        ),
        ("service delete udp:192.0.2.1:80", "udp:192.0.2.1:80: No such service"),
        ("service edit tcp:192.0.2.9:80 --scheduler rr", "tcp:192.0.2.9:80: No such service"),
        (
            "backend add tcp:192.0.2.1:80 192.0.2.12",
            "tcp:192.0.2.1:80 192.0.2.12:80: Destination already exists",
        ),
        (
            "backend add tcp:192.0.2.1:80 192.0.2.13:81",
            "tcp:192.0.2.1:80 192.0.2.13:81: only --method nat can change the port",
        ),
        (
            "backend add tcp:192.0.2.9:80 192.0.2.12",
            "tcp:192.0.2.9:80 192.0.2.12:80: Service not defined",
        ),
        (
            "backend add tcp:192.0.2.1:80 224.0.0.1",
            "tcp:192.0.2.1:80 224.0.0.1:80: Invalid operation.  Possibly wrong module version, address not unicast, ... (the real server's address is not unicast)",
        ),
        (
            "backend add tcp:192.0.2.1:80 192.0.2.14 --lower 5",
            "tcp:192.0.2.1:80 192.0.2.14:80: Numerical result out of range",
        ),
        ("backend add tcp:192.0.2.1:80 192.0.2.14 --tunnel gre", "--tunnel… needs --method tun"),
        (
            "backend edit tcp:192.0.2.1:80 192.0.2.99 --weight 1",
            "tcp:192.0.2.1:80 192.0.2.99:80: No such destination",
        ),
        (
            "backend delete tcp:192.0.2.1:80 192.0.2.99",
            "tcp:192.0.2.1:80 192.0.2.99:80: No such destination",
        ),
        ("sync start master --interface nosuch0", "sync start on nosuch0: No such device"),
    ] {
        assert_eq!(refused(&scratch, line), format!("lvs-ctl: {expected}"), "{line}");
    }
    for line in [
        "service add tcp:192.0.2.2:80 --scheduler nosuch",
        "backend add tcp:192.0.2.1:80 192.0.2.14 --weight -1",
        "backend add tcp:192.0.2.1:80 192.0.2.14 --weight 2147483648",
        "backend add tcp:192.0.2.1:80",
        "nosuch",
        "service",
    ] {
        let output = run(&scratch, line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(!output.stderr.is_empty(), "{line}");
        refused(&scratch, line);
    }
    assert_eq!(ok(&scratch, "save --json"), before);
}

#[test]
fn saved_rules_restore_to_the_same_order_and_thresholds() {
    let scratch = cluster();
    ok(&scratch, "timeouts --tcp 3600 --udp 60");
    let (rules, listing) = (ok(&scratch, "save"), ok(&scratch, "backend list"));
    ok(&scratch, "service flush");
    let file = scratch.directory.path().join("rules");
    fs::write(&file, format!("# ours\n\n{rules}")).unwrap();
    ok(&scratch, &format!("restore {}", file.display()));
    assert_eq!(ok(&scratch, "backend list"), listing);
    assert_eq!(ok(&scratch, "timeouts"), "tcp      3600 s\ntcp-fin  120 s\nudp      60 s\n");
}

#[test]
fn a_bad_line_restores_nothing_and_is_named() {
    let scratch = cluster();
    let before = ok(&scratch, "save");
    for (rules, expected) in [
        (
            "-A -t 192.0.2.7:80\n-A -t nonsense\n",
            "line 2: illegal virtual server address[:port] specified",
        ),
        ("-A -t 192.0.2.7:80\n\n-A -t 192.0.2.7:80\n", "line 3: Service already exists"),
        ("-L -n\n", "line 1: `-L -n' is no rule"),
    ] {
        let output = run_with(Path::new(PROGRAM), &scratch.socket(), "restore", rules);
        assert_eq!(String::from_utf8_lossy(&output.stderr), format!("lvs-ctl: {expected}\n"));
        assert_eq!(output.status.code(), Some(1));
    }
    assert_eq!(ok(&scratch, "save"), before);
}

#[test]
fn synchronisation_is_configured_with_a_remark() {
    let scratch = Scratch::start();
    let output = run(&scratch, "sync start master --interface d0 --id 7");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "lvs-ctl: the configuration is kept; connections are not synchronised yet\n"
    );
    assert_eq!(
        ok(&scratch, "ipvsadm -L --daemon"),
        "master sync daemon (mcast=d0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n"
    );
    ok(&scratch, "sync stop master");
    assert_eq!(ok(&scratch, "sync show"), "");
}

#[test]
fn status_shows_what_the_data_plane_says() {
    let scratch = cluster();
    scratch.plane.state().status = PlaneStatus {
        interfaces: vec![InterfaceStatus {
            name: "eth0".into(),
            mode: "native".into(),
            why: "the driver can".into(),
        }],
        reasons: vec![ReasonCount {
            reason: "no-dest".into(),
            meaning: "no real server".into(),
            packets: 3,
        }],
        probing: Some(ProbingStatus {
            device: Some("lvs-probe".into()),
            stand_ins: vec!["198.18.0.0/15".into(), "fd00::/64".into()],
            why: None,
        }),
        ..PlaneStatus::default()
    };
    let status = ok(&scratch, "status");
    assert!(status.contains("revision 3: 1 virtual services, 2 real servers\n"), "{status}");
    assert!(status.contains("eth0       native  the driver can\n"), "{status}");
    assert!(status.contains("lvs-probe  198.18.0.0/15 fd00::/64  ok\n"), "{status}");
    assert!(status.contains("no-dest  3        no real server\n"), "{status}");
}

#[test]
fn the_socket_is_an_option_too_and_names_of_files_choose_the_program() {
    let scratch = cluster();
    let socket = scratch.socket();
    let elsewhere = scratch.directory.path().join("nobody");
    let words = format!("--socket {} ipvsadm -Ln", socket.display());
    let output = run_with(Path::new(PROGRAM), &elsewhere, &words, "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), ok(&scratch, "ipvsadm -Ln"));
    for (name, line, stdin) in [
        ("ipvsadm", "-Sn", ""),
        ("ipvsadm-save", "-n", ""),
        ("ipvsadm-restore", "", "-A -t 192.0.2.1:80 -s wrr\n"),
    ] {
        let link = scratch.directory.path().join(name);
        symlink(PROGRAM, &link).unwrap();
        let output = run_with(&link, &socket, line, stdin);
        assert!(output.status.success(), "{name}");
        assert_eq!(output.stdout.starts_with(b"-A -t 192.0.2.1:80"), stdin.is_empty(), "{name}");
    }
    assert_eq!(ok(&scratch, "ipvsadm -Sn"), "-A -t 192.0.2.1:80 -s wrr\n");
}

#[test]
fn draining_quiesces_and_waits_for_the_connections() {
    let scratch = cluster();
    let service = ServiceId::Address {
        protocol: Protocol::Tcp,
        address: "192.0.2.1".parse().unwrap(),
        port: 80,
    };
    let key = (service, DestAddr { address: "192.0.2.12".parse().unwrap(), port: 80 });
    scratch.plane.state().loads.insert(key, Load { active: 2, inactive: 1, persistent: 0 });
    let line = "backend drain tcp:192.0.2.1:80 192.0.2.12 --deadline 0";
    assert_eq!(
        refused(&scratch, line),
        "lvs-ctl: tcp:192.0.2.1:80 192.0.2.12:80: 2 active and 1 inactive connections are left"
    );
    let weight = || {
        let listing = ok(&scratch, "ipvsadm -Ln");
        let line = listing.lines().find(|line| line.contains("192.0.2.12:80")).unwrap();
        line.split_whitespace().nth(3).unwrap().to_owned()
    };
    assert_eq!(weight(), "0");
    // Those that both sides closed are not waited for.
    scratch.plane.state().loads.insert(key, Load { active: 0, inactive: 2, persistent: 0 });
    let peer = |address: &str, port| Peer { address: address.parse().unwrap(), port };
    let connection = |state: &'static str, port| Connection {
        protocol: Some(Protocol::Tcp),
        state: state.into(),
        client: peer("198.51.100.1", port),
        vip: peer("192.0.2.1", 80),
        dest: peer("192.0.2.12", 80),
        expires_s: 100,
        engine: None,
    };
    let ended = connection("TIME_WAIT", 1);
    scratch.plane.state().connections = vec![ended.clone(), connection("FIN_WAIT", 2)];
    assert_eq!(
        refused(&scratch, line),
        "lvs-ctl: tcp:192.0.2.1:80 192.0.2.12:80: 0 active and 1 inactive connections are left"
    );
    scratch.plane.state().connections = vec![ended];
    assert_eq!(ok(&scratch, line), "");
    scratch.plane.state().loads.clear();
    assert_eq!(ok(&scratch, line), "");
    // The operator's weight is remembered.
    assert_eq!(ok(&scratch, "backend enable tcp:192.0.2.1:80 192.0.2.12"), "");
    assert_ne!(weight(), "0");
}

#[test]
fn ipvsadm_reads_its_words_itself() {
    let scratch = cluster();
    let version = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";
    for line in ["ipvsadm -v", "ipvsadm --version"] {
        assert_eq!(ok(&scratch, line), version);
    }
    for line in ["ipvsadm -h", "ipvsadm --help"] {
        assert!(ok(&scratch, line).starts_with(&format!("{version}Usage:\n  ipvsadm -A|E ")));
    }
    assert_eq!(refused(&scratch, "ipvsadm -C -- -n"), "unexpected argument -n");
    assert_eq!(
        refused(&scratch, "ipvsadm -V"),
        "Try `ipvsadm -h' or 'ipvsadm --help' for more information."
    );
    assert_eq!(refused(&scratch, "ipvsadm -L --socket x"), "--socket: unknown option");
}

#[test]
fn without_a_controller_each_dialect_says_so() {
    let scratch = Scratch::start();
    let nobody = scratch.directory.path().join("nobody");
    let output = run_with(Path::new(PROGRAM), &nobody, "ipvsadm -Ln", "");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "Can't initialize ipvs: Protocol not available\n\
         Are you sure that IP Virtual Server is built in the kernel or as module?\n"
    );
    let output = run_with(Path::new(PROGRAM), &nobody, "service list", "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "lvs-ctl: no controller listens on {}; start one with `lvs-ctl run --interface IF'\n",
            nobody.display()
        )
    );
}

#[test]
fn completions_know_the_verbs() {
    let scratch = Scratch::start();
    for shell in ["bash", "zsh", "fish"] {
        assert!(ok(&scratch, &format!("completions {shell}")).contains("backend"));
        assert!(ok(&scratch, &format!("completions {shell}")).contains("plan"));
    }
}
