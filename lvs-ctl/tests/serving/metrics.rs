//! What `/metrics` shows.

use std::{collections::BTreeSet, path::Path, time::Instant};

use lvs_ctl::{
    api::server::Options,
    metrics,
    model::{
        Counters, DestAddr, Load, PlaneStatus, Protocol, ReasonCount, ServiceId, StateCount,
        Sweeps, TableStatus,
    },
};
use serde_json::{Value, json};

use crate::{
    common::Scratch,
    http::{ask_with, post},
};

/// `services` services with `dests` real servers each.
fn fill(scratch: &Scratch, services: usize, dests: usize) {
    let mut changes = Vec::new();
    for service in 0..services {
        let id = json!({"address": {"protocol": "tcp", "port": 80,
            "address": format!("192.0.{}.{}", service / 250, service % 250 + 1)}});
        changes.push(json!({"add-service": {"id": id, "scheduler": "wlc"}}));
        for dest in 0..dests {
            let addr = json!({"address": format!("10.0.0.{}", dest + 1), "port": 8080});
            let dest = json!({"addr": addr, "method": "nat", "weight": 7});
            changes.push(json!({"add-dest": {"service": id, "dest": dest}}));
        }
    }
    assert_eq!(post(scratch, &json!({ "changes": changes })).0, 200);
}

fn scrape(scratch: &Scratch) -> String {
    let answer = ask_with(scratch, "GET", "/metrics", "", "");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(answer.status, 200);
    answer.body
}

fn value(text: &str, series: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    lines.next().map(|value| value.parse().unwrap())
}

fn knobs(scratch: &Scratch) {
    let mut state = scratch.plane.state();
    let vip = "192.0.0.1".parse().unwrap();
    let service = ServiceId::Address { protocol: Protocol::Tcp, address: vip, port: 80 };
    let dest = DestAddr { address: "10.0.0.2".parse().unwrap(), port: 8080 };
    state.loads.insert((service, dest), Load { active: 5, inactive: 6, persistent: 2 });
    let counters =
        Counters { conns: 11, in_packets: 40, out_packets: 30, in_bytes: 4000, out_bytes: 90_000 };
    state.counters.insert((service, dest), counters);
    let table = |name: &str, used| TableStatus { name: name.into(), used, capacity: 1000 };
    state.status = PlaneStatus {
        interfaces: Vec::new(),
        next_hops: Vec::new(),
        tables: vec![table("connections", 700), table("services", 2)],
        reasons: vec![ReasonCount {
            reason: "no_dest".into(),
            meaning: "Dropped: \"none\" takes connections.".into(),
            packets: 9,
        }],
        probing: None,
        sweeps: Some(Sweeps {
            runs: 3,
            total_us: 900,
            last_us: 250,
            expired: 8,
            states: vec![StateCount { state: "ESTABLISHED".into(), connections: 4 }],
        }),
    };
}

#[test]
fn every_number_is_where_it_belongs() {
    let scratch = Scratch::start();
    fill(&scratch, 2, 3);
    knobs(&scratch);
    let text = scrape(&scratch);
    let of = "service=\"tcp:192.0.0.1:80\"";
    let real = format!("{of},real_server=\"10.0.0.2:8080\"");
    for (series, expected) in [
        (format!("lvs_real_server_scheduled_connections_total{{{real}}}"), 11.0),
        (format!("lvs_real_server_packets_total{{{real},direction=\"in\"}}"), 40.0),
        (format!("lvs_real_server_packets_total{{{real},direction=\"out\"}}"), 30.0),
        (format!("lvs_real_server_bytes_total{{{real},direction=\"out\"}}"), 90_000.0),
        (format!("lvs_real_server_active_connections{{{real}}}"), 5.0),
        (format!("lvs_real_server_inactive_connections{{{real}}}"), 6.0),
        (format!("lvs_real_server_persistent_connections{{{real}}}"), 2.0),
        (format!("lvs_real_server_weight{{{real}}}"), 7.0),
        (
            format!(
                "lvs_real_server_info{{{real},address=\"10.0.0.2\",port=\"8080\",method=\"nat\"}}"
            ),
            1.0,
        ),
        (format!("lvs_service_active_connections{{{of}}}"), 5.0),
        (format!("lvs_service_bytes_total{{{of},direction=\"in\"}}"), 4000.0),
        (format!("lvs_service_real_servers{{{of}}}"), 3.0),
        ("lvs_active_connections".into(), 5.0),
        ("lvs_persistent_connections".into(), 2.0),
        ("lvs_services".into(), 2.0),
        ("lvs_real_servers".into(), 6.0),
        ("lvs_connections{state=\"ESTABLISHED\"}".into(), 4.0),
        ("lvs_table_entries{table=\"connections\"}".into(), 700.0),
        ("lvs_table_capacity{table=\"connections\"}".into(), 1000.0),
        ("lvs_table_alarm{table=\"connections\"}".into(), 1.0),
        ("lvs_table_alarm{table=\"services\"}".into(), 0.0),
        (
            "lvs_unforwarded_packets_total{reason=\"no_dest\",meaning=\"Dropped: \\\"none\\\" \
             takes connections.\"}"
                .into(),
            9.0,
        ),
        ("lvs_sweeper_runs_total".into(), 3.0),
        ("lvs_sweeper_expired_connections_total".into(), 8.0),
        ("lvs_sweeper_last_duration_seconds".into(), 0.00025),
        ("lvs_next_hops_unresolved".into(), 3.0),
        ("lvs_controller_revision".into(), 1.0),
        ("lvs_rule_changes_total{outcome=\"applied\"}".into(), 8.0),
        ("lvs_metrics_services_left_out".into(), 0.0),
        (
            "lvs_api_requests_total{method=\"POST\",route=\"/v1/changes\",status=\"200\"}".into(),
            1.0,
        ),
    ] {
        assert_eq!(value(&text, &series), Some(expected), "{series} in\n{text}");
    }
}

#[test]
fn the_newer_format_is_there_for_who_accepts_it() {
    let scratch = Scratch::start();
    let accept = "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let answer = ask_with(&scratch, "GET", "/metrics", accept, "");
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = answer.body;
    assert!(text.contains("# TYPE lvs_packets counter\n"));
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn services_that_do_not_fit_are_in_the_totals_only() {
    let max_series = metrics::Options { max_series: 85 };
    let options = Options { metrics: max_series, ..Options::default() };
    let scratch = Scratch::told(options);
    fill(&scratch, 5, 3);
    knobs(&scratch);
    let text = scrape(&scratch);
    // Ten series a service, and ten a real server: two fit.
    let own = text.lines().filter(|line| line.contains("{service=\"")).count();
    assert_eq!(own, 80);
    assert!(text.contains("tcp:192.0.0.2:80") && !text.contains("tcp:192.0.0.3:80"));
    assert_eq!(value(&text, "lvs_metrics_services_left_out"), Some(3.0));
    assert_eq!(value(&text, "lvs_real_servers"), Some(15.0));
}

#[test]
fn clients_cannot_make_series_up() {
    let scratch = Scratch::start();
    let before = scrape(&scratch).lines().count();
    for nonsense in 0..20 {
        ask_with(&scratch, &format!("M{nonsense}"), &format!("/p{nonsense}"), "", "");
    }
    let text = scrape(&scratch);
    let other = "lvs_api_requests_total{method=\"other\",route=\"other\",status=\"404\"}";
    assert_eq!(value(&text, other), Some(20.0));
    // That one, and the first scrape's.
    assert_eq!(text.lines().count(), before + 2);
}

#[test]
fn a_scrape_of_ten_thousand_real_servers_is_quick_and_lets_others_in_between() {
    let scratch = Scratch::start();
    fill(&scratch, 1000, 10);
    let timed = || {
        let begun = Instant::now();
        (scrape(&scratch), begun.elapsed())
    };
    // The machine may have something else to do.
    let (text, took) = (0..5).map(|_| timed()).min_by_key(|(_, took)| *took).unwrap();
    let own = text.lines().filter(|line| line.contains("{service=\"")).count();
    assert_eq!(own, 1000 * 10 + 10_000 * 10);
    eprintln!("{} bytes in {took:?}", text.len());
    // Without optimization it takes longer.
    let limit = if cfg!(debug_assertions) { 5000 } else { 100 };
    assert!(took.as_millis() < limit, "{took:?}");
}

#[test]
fn the_dashboard_names_metrics_that_exist() {
    fn expressions<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(fields) => {
                let named =
                    ["expr", "query", "definition"].iter().filter_map(|key| fields.get(*key));
                found.extend(named.filter_map(Value::as_str));
                fields.values().for_each(|value| expressions(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
            _ => {}
        }
    }
    let scratch = Scratch::start();
    fill(&scratch, 1, 1);
    knobs(&scratch);
    let text = scrape(&scratch);
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exist: BTreeSet<&str> = types.filter_map(|rest| rest.split(' ').next()).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana/lvs.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    let words = found.iter().flat_map(|expression| {
        expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
    });
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with("lvs_")).collect();
    assert!(named.len() > 20, "{named:?}");
    let unknown: Vec<_> = named.difference(&exist).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
