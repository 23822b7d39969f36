use super::*;
use crate::api::types::{Admin, Family, ServiceId};

fn dest(text: &str) -> DestState {
    serde_json::from_str(text).unwrap()
}

fn checked(rest: &str) -> DestState {
    dest(&format!(
        r#"{{"dest": {{"address": "192.0.2.11", "port": 80}}, "health": "down", "admin": "enabled",
            "weight": 3, "effective": {{"weight": 0}}, "since_ms": 125000, {rest}}}"#
    ))
}

fn service() -> ServiceId {
    ServiceId::Mark { mark: 7, family: Family::Ipv4 }
}

#[test]
fn a_row_says_state_weights_result_and_what_is_behind_it() {
    let down = checked(
        r#""cause": "vip-missing", "checks": [{"check": "http:/healthz", "via": "service",
            "health": "down", "runs": 4, "next_ms": 4200, "last": {"ago_ms": 800,
            "latency_us": 3000400, "failure": {"timeout": "connect"}}}]"#,
    );
    let [row] = &dest_rows("fwmark:7", "192.0.2.11:80", &down)[..] else { panic!("one check") };
    let cells: Vec<_> = row.iter().map(String::as_str).collect();
    assert_eq!(
        cells,
        [
            "fwmark:7",
            "192.0.2.11:80",
            "down",
            "2m",
            "3 -> 0",
            "http:/healthz",
            "4.2s",
            "3000.4ms",
            "the VIP is not configured on the real server (timeout while connecting)",
        ]
    );
}

#[test]
fn what_is_not_checked_has_a_row_too_and_its_operators_word() {
    let maintained = checked(r#""checks": []"#);
    let maintained = DestState {
        admin: Admin::Maintenance,
        effective: Effective::Absent,
        since_ms: None,
        ..maintained
    };
    let [row] = &dest_rows("a", "b", &maintained)[..] else { panic!("one row") };
    assert_eq!(row[2..], ["down, maintenance", "-", "3 -> absent", "-", "-", "-", "not checked"]);
}

#[test]
fn a_service_says_how_many_are_up_and_who_is_sorry() {
    let down = checked(r#""checks": []"#);
    let forced = DestState { admin: Admin::ForcedUp, ..down.clone() };
    let sorry = DestState { effective: Effective::Weight(1), ..down.clone() };
    let state = ServiceState {
        service: service(),
        quorum: Gate::Lost,
        dests: vec![down, forced],
        sorry: Some(Box::new(sorry)),
    };
    assert_eq!(summary(&state), ["fwmark:7", "lost", "1 of 2", "192.0.2.11:80 takes all"]);
    let listing = HealthListing { revision: 1, services: Vec::new() };
    assert_eq!(text(&listing), "No real server is checked.\n");
}
