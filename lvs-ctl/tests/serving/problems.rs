//! Every refusal has its status and says why.

use lvs_ctl::api::server::Options;
use serde_json::{Value, json};

use crate::{
    common::Scratch,
    http::{Answer, ask_with, get, post},
    rules::{add_dest, add_service, web},
};

const JSON: &str = "content-type: application/json\r\n";

fn is_problem(answer: &Answer, status: u16, code: &str) {
    let problem = answer.json();
    assert_eq!((answer.status, problem["code"].as_str()), (status, Some(code)), "{answer:?}");
    assert!(!problem["message"].as_str().unwrap().is_empty());
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn what_is_wrong_with_a_request_shows_in_its_status() {
    let options = Options { body_max: 1000, ..Options::default() };
    let scratch = Scratch::told(options);
    let long = format!("{}{{}}", " ".repeat(1000));
    for (headers, body, status, code) in [
        (JSON, "{", 400, "bad-request"),
        (JSON, "{}", 422, "bad-request"),
        (JSON, long.as_str(), 413, "too-large"),
        ("", "{}", 415, "media-type"),
        ("content-type: text/plain\r\n", "{}", 415, "media-type"),
        (
            concat!("content-type: application/json\r\n", "if-match: 1\r\n"),
            r#"{"changes": []}"#,
            400,
            "bad-request",
        ),
    ] {
        is_problem(&ask_with(&scratch, "POST", "/v1/changes", headers, body), status, code);
    }
    let refused = ask_with(&scratch, "PUT", "/v1/changes", JSON, "{}");
    is_problem(&refused, 405, "method");
    assert_eq!(refused.header("allow"), Some("post"));
}

#[test]
fn fields_and_parameters_that_nobody_knows_are_refused() {
    let scratch = Scratch::start();
    let mut service = add_service();
    service["add-service"]["colour"] = json!("red");
    let mut id = add_service();
    id["add-service"]["id"]["address"]["colour"] = json!("red");
    let mut dest = add_dest("192.0.2.11");
    dest["add-dest"]["colour"] = json!("red");
    let mut method = add_dest("192.0.2.11");
    method["add-dest"]["dest"]["method"] =
        json!({"tun": {"gre": {"checksum": "none", "colour": "red"}}});
    for change in [service, id, dest, method] {
        let (status, problem) = post(&scratch, &json!({ "changes": [change] }));
        assert_eq!(status, 422, "{problem}");
        assert!(problem["message"].as_str().unwrap().contains("unknown field `colour`"));
    }
    for path in ["services", "settings", "status", "connections", "watch"] {
        let (status, problem) = get(&scratch, &format!("/v1/{path}?colour=red"));
        assert_eq!((status, &problem["code"]), (400, &json!("bad-request")), "{path}");
    }
}

#[test]
fn all_or_nothing_tells_what_is_there_from_what_is_not() {
    let scratch = Scratch::start();
    post(&scratch, &json!({"changes": [add_service(), add_dest("192.0.2.11")]}));
    let addr = json!({"address": "192.0.2.12", "port": 80});
    let delete = json!({"delete-dest": {"service": web(), "dest": addr}});
    for (change, status, code) in [
        (add_service(), 409, "service-exists"),
        (add_dest("192.0.2.11"), 409, "dest-exists"),
        (delete, 404, "no-dest"),
        (json!({"stop-daemon": "master"}), 404, "no-daemon"),
        (add_dest("224.0.0.1"), 422, "invalid-operation"),
    ] {
        let request = json!({"changes": [change], "all_or_nothing": true});
        let (seen, problem) = post(&scratch, &request);
        assert_eq!((seen, problem["code"].as_str()), (status, Some(code)));
    }
}

#[test]
fn a_tag_from_a_reading_guards_the_change_that_follows() {
    let scratch = Scratch::start();
    let tags = |path| ask_with(&scratch, "GET", path, "", "").header("etag").map(str::to_owned);
    let change = |tag: &str, change: Value| {
        let headers = format!("{JSON}if-match: {tag}\r\n");
        let body = json!({ "changes": [change] }).to_string();
        ask_with(&scratch, "POST", "/v1/changes", &headers, &body)
    };
    for path in ["/v1/services", "/v1/settings", "/v1/status"] {
        assert_eq!(tags(path).as_deref(), Some("\"0\""));
    }
    let made = change("\"0\"", add_service());
    assert_eq!((made.status, made.header("etag")), (200, Some("\"1\"")));
    is_problem(&change("\"0\"", json!("flush")), 412, "stale");
    assert_eq!(get(&scratch, "/v1/status").1["services"], 1);
    assert_eq!(change("*", json!("flush")).status, 200);
    assert_eq!(tags("/v1/services").as_deref(), Some("\"2\""));
}
