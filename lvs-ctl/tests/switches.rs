//! Tunables and firewall marks, typed: what is listed, refused, remarked, and found again.

mod common;

use common::{
    Scratch,
    typed::{ok, refused, run},
};
use lvs_ctl::director::StateDir;
use serde_json::{Value, json};

fn value(scratch: &Scratch, name: &str) -> String {
    let listing = ok(scratch, "tunables list");
    let line = listing.lines().find(|line| line.split_whitespace().next() == Some(name));
    line.unwrap().split("  ").filter(|cell| !cell.is_empty()).nth(1).unwrap().trim().to_owned()
}

/// A controller that keeps its rules in a directory.
fn keeping(directory: &std::path::Path) -> Scratch {
    Scratch::with(|mut director| {
        director.keep_in(StateDir::open(directory).unwrap()).unwrap();
        director
    })
}

#[test]
fn tunables_are_listed_with_the_kernels_defaults() {
    let scratch = Scratch::start();
    let rows = "\
TUNABLE                    VALUE  DEFAULT  RANGE                          UNIT   EFFECT     MEANING
am_droprate                10     10       -2147483648 to 2147483647      -      no effect  drop_packet=3 drops one packet of so many
amemthresh                 1024   1024     -2147483648 to 2147483647      pages  no effect  less free memory than this begins the automatic defences
backup_only                0      0        -2147483648 to 2147483647      -      no effect  a backup director forwards nothing
cache_bypass               0      0        -2147483648 to 2147483647      -      no effect  marked packets go where they wanted if no real server is left
conn_reuse_mode            1      1        -2147483648 to 2147483647      -      yes        a SYN on the ports of an old connection is scheduled anew
conntrack                  0      0        -2147483648 to 2147483647      -      no effect  netfilter tracks the connections as well
drop_entry                 0      0        0 to 3                         -      no effect  half-open and idle connections are dropped under attack
drop_packet                0      0        0 to 3                         -      no effect  packets of new connections are dropped under attack
expire_nodest_conn         0      0        -2147483648 to 2147483647      -      yes        connections end at once when their real server is deleted
expire_quiescent_template  0      0        -2147483648 to 2147483647      -      yes        a quiesced real server loses its persistent clients
";
    let listing = ok(&scratch, "tunables list");
    assert_eq!(listing.lines().take(11).collect::<Vec<_>>(), rows.lines().collect::<Vec<_>>());
    assert_eq!(listing.lines().count(), 30);
    for (name, default) in [
        ("lblc_expiration", "86400"),
        ("pmtu_disc", "1"),
        ("snat_reroute", "1"),
        ("sync_threshold", "3 50"),
        ("sync_version", "1"),
    ] {
        assert_eq!(value(&scratch, name), default, "{name}");
    }
    let listing: Value = serde_json::from_str(&ok(&scratch, "tunables list --json")).unwrap();
    assert_eq!(
        listing["tunables"][17],
        json!({
            "name": "secure_tcp", "value": 0, "default": 0, "range": "0 to 3", "unit": "",
            "effect": "at 3 only", "meaning": "the state table with short timeouts holds",
        })
    );
}

#[test]
fn tunables_are_set_together_or_not_at_all() {
    let scratch = Scratch::start();
    assert_eq!(ok(&scratch, "tunables set conn_reuse_mode=0 secure_tcp=3 lblc_expiration=60"), "");
    for (line, expected) in [
        ("sloppy_tcp=1 secure_tcp=4", "secure_tcp=4: secure_tcp takes 0 to 3"),
        ("sloppy_tcp=1 nosuch=1", "nosuch=1: there is no tunable nosuch"),
        ("sync_ports=3", "sync_ports=3: sync_ports takes a power of two"),
        (
            "sync_threshold=50,3",
            "sync_threshold=50,3: sync_threshold takes T,N with 0 <= T < N, or N = 0",
        ),
        (
            "conn_reuse_mode=2147483648",
            "conn_reuse_mode=2147483648: conn_reuse_mode takes -2147483648 to 2147483647",
        ),
        ("lblc_expiration=-1", "lblc_expiration=-1: lblc_expiration takes 0 to 8589934"),
        ("sloppy_tcp=1 secure_tcp", "`secure_tcp' sets no tunable: NAME=VALUE, a number"),
        ("sloppy_tcp=on", "`sloppy_tcp=on' sets no tunable: NAME=VALUE, a number"),
    ] {
        let line = format!("tunables set {line}");
        assert_eq!(refused(&scratch, &line), format!("lvs-ctl: {expected}"), "{line}");
    }
    assert_eq!(value(&scratch, "sloppy_tcp"), "0");
    let state = scratch.plane.state();
    let set = ["conn_reuse_mode", "secure_tcp", "lblc_expiration", "sloppy_tcp"];
    assert_eq!(set.map(|name| state.tunables.number(name)), [0, 3, 60, 0]);
}

#[test]
fn what_has_no_effect_is_kept_with_a_remark() {
    let scratch = Scratch::start();
    let output = run(&scratch, "tunables set sync_threshold=0,10 secure_tcp=1 sloppy_tcp=1");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "lvs-ctl: sync_threshold=0 10 is kept, but has no effect here\n\
         lvs-ctl: secure_tcp=1 is kept, but has no effect here; 3 has one\n"
    );
    assert_eq!(value(&scratch, "sync_threshold"), "0 10");
}

#[test]
fn mark_rules_are_listed_the_most_specific_first() {
    let scratch = Scratch::start();
    ok(&scratch, "mark add --destination 0.0.0.0/0 0xffffffff");
    ok(&scratch, "mark add --protocol tcp --destination 192.0.2.0/24 --ports 8000-8100,80,443 1");
    ok(&scratch, "mark add --destination 192.0.2.0/24 --ports 53 2");
    ok(&scratch, "mark add --destination 192.0.2.9 0x7");
    ok(&scratch, "mark add --protocol udp --destination 2001:db8::/32 8");
    assert_eq!(
        ok(&scratch, "mark list"),
        "MARK        PROTOCOL  DESTINATION    PORTS\n\
         7           any       192.0.2.9/32   any\n\
         1           tcp       192.0.2.0/24   80,443,8000-8100\n\
         2           any       192.0.2.0/24   53\n\
         4294967295  any       0.0.0.0/0      any\n\
         8           udp       2001:db8::/32  any\n"
    );
    ok(&scratch, "mark delete --destination 192.0.2.9/32 7");
    ok(&scratch, "mark delete --destination 0.0.0.0/0 4294967295");
    ok(&scratch, "mark delete --destination 2001:db8::/32 --protocol udp 8");
    let listing: Value = serde_json::from_str(&ok(&scratch, "mark list --json")).unwrap();
    assert_eq!(
        listing["marks"],
        json!([
            {
                "protocol": "tcp", "destination": "192.0.2.0/24", "ports": "80,443,8000-8100",
                "mark": 1,
            },
            {"destination": "192.0.2.0/24", "ports": "53", "mark": 2},
        ])
    );
    assert_eq!(scratch.plane.state().marks.len(), 2);
}

#[test]
fn mark_rules_that_make_no_sense_are_refused() {
    let scratch = Scratch::start();
    ok(&scratch, "mark add --protocol tcp --destination 192.0.2.0/24 --ports 80,443 1");
    let before = ok(&scratch, "mark list");
    for (line, expected) in [
        (
            "add --protocol tcp --destination 192.0.2.0/24 --ports 443,80 1",
            "mark --protocol tcp --destination 192.0.2.0/24 --ports 80,443 1: mark rule exists",
        ),
        (
            "add --protocol tcp --destination 192.0.2.0/24 --ports 443 2",
            "mark --protocol tcp --destination 192.0.2.0/24 --ports 443 2: another rule is as specific and gives another mark: --protocol tcp --destination 192.0.2.0/24 --ports 80,443 1",
        ),
        (
            "delete --protocol tcp --destination 192.0.2.0/24 --ports 80 1",
            "mark --protocol tcp --destination 192.0.2.0/24 --ports 80 1: no such mark rule",
        ),
        (
            "delete --protocol tcp --destination 192.0.2.0/24 --ports 80,443 2",
            "mark --protocol tcp --destination 192.0.2.0/24 --ports 80,443 2: no such mark rule",
        ),
        (
            "add --destination 192.0.2.1/24 2",
            "`192.0.2.1/24' has bits set beyond its length: the prefix is 192.0.2.0/24",
        ),
        (
            "add --destination 192.0.2.0/33 2",
            "`192.0.2.0/33' is no prefix: ADDRESS/LENGTH, or an address alone",
        ),
        (
            "add --destination www.example.org 2",
            "`www.example.org' is no prefix: ADDRESS/LENGTH, or an address alone",
        ),
        ("add --destination 192.0.2.1 0", "`0' is no firewall mark: 1 to 4294967295"),
        ("add --destination 192.0.2.1 0x0", "`0x0' is no firewall mark: 1 to 4294967295"),
        (
            "add --destination 192.0.2.1 4294967296",
            "`4294967296' is no firewall mark: 1 to 4294967295",
        ),
        (
            "add --destination 192.0.2.1 --ports 0 2",
            "`0' is no list of ports: 80,443,8000-8100, each 1 to 65535",
        ),
        ("add --destination 192.0.2.1 --ports 80-90,85 2", "`80-90,85' names port 85 twice"),
    ] {
        let line = format!("mark {line}");
        assert_eq!(refused(&scratch, &line), format!("lvs-ctl: {expected}"), "{line}");
    }
    for line in [
        "mark add 2",
        "mark add --destination 192.0.2.1",
        "mark add --protocol icmp --destination 192.0.2.1 2",
    ] {
        assert_eq!(run(&scratch, line).status.code(), Some(2), "{line}");
    }
    assert_eq!(ok(&scratch, "mark list"), before);
}

#[test]
fn the_next_controller_finds_tunables_and_marks() {
    let directory = tempfile::tempdir().unwrap();
    let lists = |scratch: &Scratch| (ok(scratch, "tunables list"), ok(scratch, "mark list"));
    let scratch = keeping(directory.path());
    ok(&scratch, "tunables set conn_reuse_mode=0 expire_nodest_conn=1");
    ok(&scratch, "mark add --destination 192.0.2.0/24 --ports 80,443 1");
    ok(&scratch, "mark add --destination 192.0.2.1 2");
    ok(&scratch, "mark delete --destination 192.0.2.1 2");
    let before = lists(&scratch);
    drop(scratch);
    for _ in 0..2 {
        let again = keeping(directory.path());
        assert_eq!(lists(&again), before);
        assert_eq!(again.plane.state().tunables.number("expire_nodest_conn"), 1);
        assert_eq!(again.plane.state().marks.len(), 1);
    }
}
