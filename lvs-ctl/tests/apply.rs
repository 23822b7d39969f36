//! Configuration files against a controller: `lvs-ctl apply`, in exact words and at random.

mod common;

use std::fs;

use common::{
    Scratch,
    typed::{PROGRAM, ok, refused, run, run_with},
};
use lvs_ctl::{
    api::{client::Controller, types::ListQuery},
    model::{DestAddr, Load, Protocol, ServiceId},
};
use serde_json::Value;

const FILE: &str = "\
[timeouts]
udp = 60

[[service]]
listen = \"tcp:192.0.2.1:80\"
scheduler = \"wrr\"
persistent = 300

[[service.backend]]
address = \"192.0.2.11\"

[[service.backend]]
address = \"10.0.0.12:8080\"
method = \"nat\"
weight = 3
";

/// Writes the file, and is the command line that applies it.
fn apply(scratch: &Scratch, text: &str) -> String {
    let file = scratch.directory.path().join("lvs.toml");
    fs::write(&file, text).unwrap();
    format!("apply {}", file.display())
}

fn loaded(scratch: &Scratch, address: &str, port: u16, active: u32) {
    let vip = "192.0.2.1".parse().unwrap();
    let service = ServiceId::Address { protocol: Protocol::Tcp, address: vip, port: 80 };
    let dest = DestAddr { address: address.parse().unwrap(), port };
    let load = Load { active, inactive: 1, persistent: 0 };
    scratch.plane.state().loads.insert((service, dest), load);
}

#[test]
fn a_file_is_shown_applied_and_then_holds() {
    let scratch = Scratch::start();
    let apply = apply(&scratch, FILE);
    let plan = run(&scratch, &format!("{apply} --plan"));
    assert_eq!(plan.status.code(), Some(2));
    let steps = "\
        ~ timeouts: udp 300 -> 60\n\
        + service tcp:192.0.2.1:80: scheduler wrr, persistent 300\n\
        + backend tcp:192.0.2.1:80 192.0.2.11:80: method dr, weight 1\n\
        + backend tcp:192.0.2.1:80 10.0.0.12:8080: method nat, weight 3\n";
    assert_eq!(String::from_utf8(plan.stdout).unwrap(), steps);
    assert_eq!(ok(&scratch, "service list").lines().count(), 1);
    assert_eq!(ok(&scratch, &apply), steps);
    let save = ok(&scratch, "save");
    assert_eq!(
        save,
        "--set 900 120 60\n\
         -A -t 192.0.2.1:80 -s wrr -p 300\n\
         -a -t 192.0.2.1:80 -r 192.0.2.11:80 -g -w 1\n\
         -a -t 192.0.2.1:80 -r 10.0.0.12:8080 -m -w 3\n"
    );
    let revision = ok(&scratch, "save --json");
    assert_eq!(ok(&scratch, &apply), "");
    assert_eq!(ok(&scratch, &format!("{apply} --plan")), "");
    assert_eq!(ok(&scratch, "save --json"), revision);
}

#[test]
fn steps_say_what_they_touch() {
    let scratch = Scratch::start();
    ok(&scratch, &apply(&scratch, FILE));
    loaded(&scratch, "192.0.2.11", 80, 4);
    loaded(&scratch, "10.0.0.12", 8080, 0);
    let text = FILE
        .replace("udp = 60\n", "")
        .replace(
            "wrr\"\npersistent = 300",
            "sh\"\nflags = [\"port\"]\npersistent = 60\nnetmask = 24",
        )
        .replace("address = \"192.0.2.11\"", "address = \"192.0.2.13\"\nupper = 9")
        .replace("weight = 3", "weight = 1\nmethod = \"tun\"\ntunnel = \"gue\"\ntunnel_port = 6080")
        .replace(":8080\"\nmethod = \"nat\"", ":80\"");
    let expected = "\
        ~ service tcp:192.0.2.1:80: scheduler wrr -> sh, flags none -> port, persistent 300 -> 60, netmask none -> 255.255.255.0 (6 connections)\n\
        - backend tcp:192.0.2.1:80 10.0.0.12:8080 (1 connection)\n\
        - backend tcp:192.0.2.1:80 192.0.2.11:80 (5 connections)\n\
        + backend tcp:192.0.2.1:80 192.0.2.13:80: method dr, weight 1, upper 9\n\
        + backend tcp:192.0.2.1:80 10.0.0.12:80: method tun:gue:6080, weight 1\n";
    assert_eq!(ok(&scratch, &apply(&scratch, &text)), expected);
    let text =
        FILE.replace("weight = 3", "weight = 0").replace(":8080\"\nmethod = \"nat\"", ":80\"");
    let output = ok(&scratch, &apply(&scratch, &text));
    let expected = "~ backend tcp:192.0.2.1:80 10.0.0.12:80: method tun:gue:6080 -> dr, weight 1 -> 0 (0 connections)\n";
    assert!(output.contains(expected), "{output}");
    assert_eq!(
        ok(&scratch, &apply(&scratch, "")),
        "- service tcp:192.0.2.1:80 with 2 backends (5 connections)\n"
    );
}

#[test]
fn services_made_by_commands_are_left_alone_until_the_file_declares_them() {
    let scratch = Scratch::start();
    ok(&scratch, "service add tcp:192.0.2.1:80 --scheduler wrr --persistent 300");
    ok(&scratch, "service add tcp:192.0.2.2:80");
    let output = ok(&scratch, &apply(&scratch, FILE));
    assert!(
        output.contains("~ service tcp:192.0.2.1:80: now the file's (0 connections)\n"),
        "{output}"
    );
    let listing: Value = serde_json::from_str(&ok(&scratch, "service list --json")).unwrap();
    let origins = [0, 1].map(|index| listing["services"][index]["origin"].as_str().unwrap());
    assert_eq!(origins, ["file", "command"]);
    ok(&scratch, &apply(&scratch, ""));
    assert_eq!(ok(&scratch, "save"), "--set 900 120 60\n-A -t 192.0.2.2:80 -s wlc\n");
}

#[test]
fn what_commands_change_in_the_files_services_is_put_right() {
    let scratch = Scratch::start();
    let apply = apply(&scratch, FILE);
    ok(&scratch, &apply);
    let before = ok(&scratch, "save");
    ok(&scratch, "backend edit tcp:192.0.2.1:80 10.0.0.12:8080 --weight 0");
    assert_eq!(
        ok(&scratch, &apply),
        "~ backend tcp:192.0.2.1:80 10.0.0.12:8080: weight 0 -> 3 (0 connections)\n"
    );
    ok(&scratch, "service delete tcp:192.0.2.1:80");
    ok(&scratch, &apply);
    assert_eq!(ok(&scratch, "save"), before);
}

#[test]
fn a_file_that_the_director_refuses_changes_nothing_and_is_blamed_by_line() {
    let scratch = Scratch::start();
    ok(&scratch, &apply(&scratch, FILE));
    let before = ok(&scratch, "save --json");
    let file = scratch.directory.path().join("lvs.toml");
    for (old, new, expected) in [
        (
            "192.0.2.11",
            "224.0.0.1",
            ":9:1: service[0].backend[0]: the real server's address is not unicast",
        ),
        (
            "10.0.0.12:8080",
            "[2001:db8::1]:8080",
            ":12:1: service[0].backend[1]: a real server of another address family needs tunneling",
        ),
        ("udp = 60", "udp = 0", ":2:7: timeouts.udp: 0 is not between 1 and 2678400 seconds"),
    ] {
        let apply = apply(&scratch, &FILE.replace(old, new));
        assert_eq!(
            refused_after_steps(&scratch, &apply),
            format!("lvs-ctl: {}{expected}\n", file.display())
        );
    }
    scratch.plane.state().capacity = Some(2);
    let more = format!("{FILE}\n[[service.backend]]\naddress = \"192.0.2.14\"\n");
    assert_eq!(
        refused_after_steps(&scratch, &apply(&scratch, &more)),
        "lvs-ctl: apply: Memory allocation problem (no room for another real server, only for 2)\n"
    );
    assert_eq!(
        refused(&scratch, "apply /nosuch/lvs.toml"),
        "lvs-ctl: cannot read /nosuch/lvs.toml: No such file or directory (os error 2)"
    );
    assert_eq!(ok(&scratch, "save --json"), before);
}

/// Standard error of a line that fails, perhaps after it has shown what it would do.
fn refused_after_steps(scratch: &Scratch, line: &str) -> String {
    let output = run(scratch, line);
    assert_eq!(output.status.code(), Some(1), "{line}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn answers_are_json_too() {
    let scratch = Scratch::start();
    let apply = apply(&scratch, FILE);
    let json =
        |line: &str| -> Value { serde_json::from_slice(&run(&scratch, line).stdout).unwrap() };
    let plan = json(&format!("{apply} --plan --json"));
    assert_eq!((&plan["revision"], plan["steps"].as_array().unwrap().len()), (&Value::from(0), 4));
    assert_eq!(plan["steps"][0]["text"], "~ timeouts: udp 300 -> 60");
    assert_eq!(plan["steps"][0]["changes"][0]["set-timeouts"]["udp_s"], 60);
    let done = json(&format!("{apply} --json"));
    assert_eq!((&done["revision"], &done["steps"]), (&Value::from(1), &plan["steps"]));
    let steps = json(&format!("{} --plan --json", self::apply(&scratch, "")))["steps"].clone();
    assert_eq!(steps[0]["connections"], 0);
}

#[test]
fn what_stands_is_saved_as_a_file_that_applies() {
    let scratch = Scratch::start();
    ok(&scratch, "service add fwmark6:7 --persistent 5 --netmask 64 --flags fallback,flag-3");
    ok(
        &scratch,
        "backend add fwmark6:7 2001:db8::1 --method tun --tunnel gre --tunnel-checksum full",
    );
    ok(&scratch, "backend add fwmark6:7 2001:db8::2 --weight 0 --upper 9 --lower 4");
    let (toml, rules) = (ok(&scratch, "save --toml"), ok(&scratch, "save"));
    assert_eq!(
        toml,
        "[timeouts]\ntcp = 900\ntcp_fin = 120\nudp = 300\n\n\
         [[service]]\nlisten = \"fwmark6:7\"\nscheduler = \"wlc\"\nflags = [\"flag-1\", \"flag-3\"]\n\
         persistent = 5\nnetmask = 64\n\n\
         [[service.backend]]\naddress = \"[2001:db8::1]:0\"\nweight = 1\nmethod = \"tun\"\n\
         tunnel = \"gre\"\ntunnel_checksum = \"full\"\n\n\
         [[service.backend]]\naddress = \"[2001:db8::2]:0\"\nweight = 0\nmethod = \"dr\"\nupper = 9\nlower = 4\n"
    );
    ok(&scratch, "service flush");
    let output = run_with(PROGRAM.as_ref(), &scratch.socket(), "apply -", &toml);
    assert!(output.status.success());
    assert_eq!(ok(&scratch, "save"), rules);
    let output = run_with(PROGRAM.as_ref(), &scratch.socket(), "apply -", "mode = 1");
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("lvs-ctl: -:1:8: mode: "));
}

/// A controller that another tool uses between two requests.
#[test]
fn what_another_tool_changed_meanwhile_is_not_overwritten() {
    use clap::Parser;
    use common::meddling::Meddling;
    use lvs_ctl::cli::{Context, Verb};

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        verb: Verb,
    }

    let scratch = Scratch::start();
    let line = apply(&scratch, FILE);
    let line = Line::try_parse_from(["lvs-ctl"].into_iter().chain(line.split(' '))).unwrap();
    let mut controller = Meddling::new(scratch.client(), scratch.client());
    let mut context = Context {
        controller: &mut controller,
        names: &common::FixedNames::recorded(),
        output: &mut Vec::new(),
        error: &mut Vec::new(),
    };
    assert_eq!(
        line.verb.run(&mut context).unwrap_err().to_string(),
        "somebody else changed the table meanwhile; nothing was changed"
    );
    let listing = scratch.client().listing(&ListQuery::default()).unwrap();
    assert_eq!((listing.revision, listing.services.len()), (1, 0));
}

#[test]
fn tunables_and_mark_rules_are_declared_too() {
    let scratch = Scratch::start();
    let text = "[tunables]\nconn_reuse_mode = 0\nsync_threshold = [0, 10]\n\n\
        [[mark]]\nprotocol = \"tcp\"\ndestination = \"192.0.2.0/24\"\nports = \"80,443\"\nmark = 1\n\n\
        [[mark]]\ndestination = \"2001:db8::1\"\nmark = 2\n";
    ok(&scratch, "mark add --destination 2001:db8::1 2");
    ok(&scratch, "mark add --destination 203.0.113.0/24 3");
    let apply_it = apply(&scratch, text);
    assert_eq!(
        ok(&scratch, &apply_it),
        "~ tunable conn_reuse_mode: 1 -> 0\n\
         ~ tunable sync_threshold: 3 50 -> 0 10, no effect here\n\
         + mark 1 protocol tcp destination 192.0.2.0/24 ports 80,443\n\
         ~ mark 2 destination 2001:db8::1/128: now the file's\n"
    );
    assert_eq!(ok(&scratch, &apply_it), "");
    assert_eq!(
        ok(&scratch, "save --toml"),
        "[timeouts]\ntcp = 900\ntcp_fin = 120\nudp = 300\n\n\
         [tunables]\nconn_reuse_mode = 0\nsync_threshold = [0, 10]\n\n\
         [[mark]]\nprotocol = \"tcp\"\ndestination = \"192.0.2.0/24\"\nports = \"80,443\"\nmark = 1\n\n\
         [[mark]]\ndestination = \"203.0.113.0/24\"\nmark = 3\n\n\
         [[mark]]\ndestination = \"2001:db8::1/128\"\nmark = 2\n"
    );
    // The new rule would contradict the old one; tunables stay as they are.
    let text =
        "[[mark]]\nprotocol = \"tcp\"\ndestination = \"192.0.2.0/24\"\nports = \"80\"\nmark = 9\n";
    assert_eq!(
        ok(&scratch, &apply(&scratch, text)),
        "- mark 1 protocol tcp destination 192.0.2.0/24 ports 80,443\n\
         - mark 2 destination 2001:db8::1/128\n\
         + mark 9 protocol tcp destination 192.0.2.0/24 ports 80\n"
    );
    let conflict = text.replace("192.0.2.0", "203.0.113.0").replace("protocol = \"tcp\"\n", "");
    ok(&scratch, "mark add --destination 203.0.113.0/24 --ports 80 4");
    let before = ok(&scratch, "mark list --json");
    assert_eq!(
        refused_after_steps(&scratch, &apply(&scratch, &conflict)),
        format!(
            "lvs-ctl: {}:1:1: mark[0]: another rule is as specific and gives another mark: \
             --destination 203.0.113.0/24 --ports 80 4\n",
            scratch.directory.path().join("lvs.toml").display()
        )
    );
    assert_eq!(ok(&scratch, "mark list --json"), before);
}
