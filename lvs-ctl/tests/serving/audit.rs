//! Every change of a rule leaves one line: who, what, before, after.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock},
};

use serde_json::json;

use crate::{common::Scratch, http::post};

type Log = Arc<Mutex<Vec<u8>>>;

/// Where a writer of the log writes.
struct Writer(Log);

impl io::Write for Writer {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of this process, as the daemon formats it.
fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = Arc::clone(&log);
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || Writer(Arc::clone(&writer)))
            .init();
        log
    })
}

/// The lines about a virtual service, from who on.
fn lines(about: &str) -> Vec<String> {
    let text = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once("INFO lvs_ctl::audit: audit "));
    lines.map(|(_, line)| line.to_owned()).filter(|line| line.contains(about)).collect()
}

#[test]
fn each_change_leaves_a_line_and_a_refused_one_none() {
    log();
    let scratch = Scratch::start();
    let vip = json!({"address": {"protocol": "tcp", "address": "192.0.2.77", "port": 80}});
    let dest = |weight| {
        let addr = json!({"address": "10.0.0.1", "port": 80});
        json!({"service": vip, "dest": {"addr": addr, "method": "nat", "weight": weight}})
    };
    let change = |change| assert_eq!(post(&scratch, &json!({ "changes": [change] })).0, 200);
    change(json!({"add-service": {"id": vip, "scheduler": "wlc"}}));
    change(json!({"add-service": {"id": vip, "scheduler": "wlc"}}));
    change(json!({"add-dest": dest(1)}));
    change(json!({"edit-dest": dest(3)}));
    change(json!({"edit-service": {"id": vip, "scheduler": "wlc",
        "persistence": {"timeout_s": 300, "netmask": "255.255.255.0"}}}));
    change(json!({ "delete-service": vip }));
    let command = std::fs::read_to_string("/proc/self/comm").unwrap();
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap();
    let who =
        format!("who=\"{}({}) {}[{}]\"", user.name, user.uid, command.trim(), std::process::id());
    let expected = [
        "what=\"add service tcp 192.0.2.77:80\" before=\"none\" after=\"scheduler wlc\" revision=1",
        "what=\"add real server tcp 192.0.2.77:80 -> 10.0.0.1:80\" before=\"none\" \
         after=\"method nat, weight 1\" revision=2",
        "what=\"edit real server tcp 192.0.2.77:80 -> 10.0.0.1:80\" before=\"weight 1\" \
         after=\"weight 3\" revision=3",
        "what=\"edit service tcp 192.0.2.77:80\" before=\"persistent none, netmask none\" \
         after=\"persistent 300 s, netmask 255.255.255.0\" revision=4",
        "what=\"delete service tcp 192.0.2.77:80\" before=\"scheduler wlc, persistent 300 s, \
         netmask 255.255.255.0, real servers 10.0.0.1:80\" after=\"none\" revision=5",
    ];
    let seen = lines("192.0.2.77:80");
    // The thread that asks has a name of its own.
    let seen: Vec<_> = seen.iter().map(|line| line.split_once(" what=").unwrap()).collect();
    assert_eq!(seen.iter().map(|(_, what)| format!("what={what}")).collect::<Vec<_>>(), expected);
    assert!(seen.iter().all(|(seen, _)| *seen == who), "{seen:?} {who}");
}

#[test]
fn nothing_is_written_of_what_was_rolled_back() {
    log();
    let scratch = Scratch::start();
    scratch.plane.state().capacity = Some(0);
    let vip = json!({"address": {"protocol": "tcp", "address": "192.0.2.78", "port": 80}});
    let addr = json!({"address": "10.0.0.1", "port": 80});
    let dest = json!({"service": vip, "dest": {"addr": addr, "method": "nat", "weight": 1}});
    let changes = json!([{"add-service": {"id": vip, "scheduler": "wlc"}}, { "add-dest": dest }]);
    assert_eq!(post(&scratch, &json!({ "changes": changes })).0, 500);
    assert_eq!(lines("192.0.2.78:80"), Vec::<String>::new());
}
