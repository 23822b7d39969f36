//! The API as a program in any language meets it: HTTP over the socket.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
};

use lvs_ctl::model::{Connection, Peer, Protocol};
use serde_json::{Value, json};

use crate::{
    common::Scratch,
    http::{ask, get, post},
};

pub(crate) fn web() -> Value {
    json!({"address": {"protocol": "tcp", "address": "192.0.2.1", "port": 80}})
}

pub(crate) fn add_service() -> Value {
    json!({"add-service": {"id": web(), "scheduler": "rr"}})
}

pub(crate) fn add_dest(address: &str) -> Value {
    let addr = json!({"address": address, "port": 80});
    json!({"add-dest": {"service": web(), "dest": {"addr": addr, "method": "nat", "weight": 1}}})
}

#[test]
fn changes_are_made_and_refused_ones_reported() {
    let scratch = Scratch::start();
    let changes = json!([add_service(), add_service(), add_dest("192.0.2.11")]);
    let (status, answer) = post(&scratch, &json!({ "changes": changes }));
    assert_eq!(status, 200);
    let problem = json!({"code": "service-exists", "message": "Service already exists"});
    let refused = json!([{"index": 1, "problem": problem}]);
    assert_eq!(answer, json!({"revision": 1, "applied": 2, "refused": refused}));
    let (_, one) = get(&scratch, "/v1/services?protocol=tcp&address=192.0.2.1&port=80&stats=true");
    assert_eq!(one["services"][0]["dests"][0]["dest"]["addr"]["address"], "192.0.2.11");
    assert_eq!(one["services"][0]["stats"]["conns"], 0);
}

#[test]
fn all_or_nothing_says_which_change_is_to_blame() {
    let scratch = Scratch::start();
    let changes = json!([add_service(), add_dest("224.0.0.1")]);
    let (status, answer) = post(&scratch, &json!({ "changes": changes, "all_or_nothing": true }));
    assert_eq!(
        (status, &answer["code"], &answer["index"]),
        (422, &json!("invalid-operation"), &json!(1))
    );
    assert_eq!(answer["detail"], "the real server's address is not unicast");
    assert_eq!(get(&scratch, "/v1/services").1["services"], json!([]));
}

#[test]
fn two_tools_do_not_overwrite_each_other() {
    let scratch = Scratch::start();
    let change = |changes: Value| post(&scratch, &json!({"changes": changes, "if_revision": 0}));
    assert_eq!(change(json!([add_service()])).0, 200);
    let (status, answer) = change(json!(["flush"]));
    assert_eq!((status, &answer["code"]), (412, &json!("stale")));
    assert_eq!(get(&scratch, "/v1/status").1["services"], 1);
}

#[test]
fn nonsense_gets_a_code_and_words() {
    let scratch = Scratch::start();
    for (method, path, body, status, code) in [
        ("GET", "/v1/nosuch", "", 404, "no-route"),
        ("DELETE", "/v1/services", "", 405, "method"),
        ("POST", "/v1/changes", "{", 400, "bad-request"),
        ("POST", "/v1/changes", r#"{"changes": [], "force": true}"#, 422, "bad-request"),
        ("POST", "/v1/changes", r#"{"changes": ["nosuch"]}"#, 422, "bad-request"),
        ("GET", "/v1/services?protocol=tcp", "", 400, "bad-request"),
        ("GET", "/v1/services?protocol=icmp", "", 400, "bad-request"),
        ("GET", "/v1/services?fwmark=7", "", 404, "no-service"),
    ] {
        let (seen, text) = ask(&scratch, method, path, body);
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (seen, problem["code"].as_str().unwrap()),
            (status, code),
            "{method} {path} {body}"
        );
        assert!(!problem["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_full_data_plane_changes_nothing() {
    let scratch = Scratch::start();
    scratch.plane.state().capacity = Some(0);
    let (status, answer) =
        post(&scratch, &json!({"changes": [add_service(), add_dest("192.0.2.11")]}));
    assert_eq!((status, &answer["code"]), (500, &json!("data-plane")));
    assert_eq!(get(&scratch, "/v1/status").1["services"], 0);
}

#[test]
fn connections_come_one_a_line_and_filtered() {
    let scratch = Scratch::start();
    let peer = |text: &str, port| Peer { address: text.parse().unwrap(), port };
    let connection = |client: &str| Connection {
        protocol: Some(Protocol::Udp),
        state: "UDP".into(),
        client: peer(client, 5000),
        vip: peer("192.0.2.1", 53),
        dest: peer("192.0.2.11", 53),
        expires_s: 299,
        engine: None,
    };
    let clients = ["198.51.100.1", "198.51.100.2", "198.51.100.2"];
    scratch.plane.state().connections = clients.map(connection).to_vec();
    let lines = |path| ask(&scratch, "GET", path, "").1.matches("\"virtual\"").count();
    assert_eq!(lines("/v1/connections"), 3);
    assert_eq!(lines("/v1/connections?client=198.51.100.2"), 2);
    assert_eq!(lines("/v1/connections?client=198.51.100.2&limit=1"), 1);
    assert_eq!(lines("/v1/connections?state=ESTABLISHED"), 0);
}

#[test]
fn watchers_get_a_line_for_each_request() {
    let scratch = Scratch::start();
    let mut stream = UnixStream::connect(scratch.socket()).unwrap();
    write!(stream, "GET /v1/watch HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    // The head is there once the watch stands.
    while !lines.next().unwrap().is_empty() {}
    post(&scratch, &json!({"changes": [add_service(), add_dest("192.0.2.11")]}));
    let event = lines.find(|line| line.starts_with('{')).unwrap();
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(event["revision"], 1);
    assert_eq!(event["changes"].as_array().unwrap().len(), 2);
}
