//! Health on the command line and in metrics: a running engine, real servers that come and go.

mod common;

use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use common::{
    Scratch,
    typed::{ok, refused},
};
use lvs_ctl::{
    api::{
        client::Controller as _,
        server::Options,
        types::{DestState, HealthQuery},
    },
    health::{self, Board, ways::Direct},
    model::health::{Effective, Health},
};

const WEB: &str = "tcp:192.0.2.1:80";

fn checking() -> Scratch {
    Scratch::serving(
        tempfile::tempdir().unwrap(),
        |director| director,
        |handle| {
            let board = Board::default();
            tokio::spawn(health::run(handle, Arc::new(Direct), board.clone()));
            Options { health: board, ..Options::default() }
        },
    )
}

/// A port of this host where somebody listens, or did.
fn server() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn state(scratch: &Scratch, at: SocketAddr) -> DestState {
    let listing = scratch.client().health(&HealthQuery::default()).unwrap();
    let mut dests = listing.services.into_iter().flat_map(|service| service.dests);
    dests.find(|dest| dest.dest.port == at.port()).unwrap()
}

fn wait_for(scratch: &Scratch, at: SocketAddr, health: Health, effective: Effective) -> DestState {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let state = state(scratch, at);
        if (state.health, state.effective) == (health, effective) {
            return state;
        }
        assert!(Instant::now() < deadline, "{state:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn cells(text: &str, at: SocketAddr) -> Vec<String> {
    let line = text.lines().find(|line| line.contains(&at.to_string())).unwrap();
    let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    cells.map(str::to_owned).collect()
}

#[test]
fn real_servers_go_and_return_with_the_operators_weight_and_all_of_it_is_shown() {
    let scratch = checking();
    let (_listening, up) = server();
    let (closed, down) = server();
    drop(closed);
    let add = format!("service add {WEB} -k tcp --check-interval 200ms --check-timeout 150ms");
    ok(&scratch, &format!("{add} --fall 1 --via direct"));
    for at in [up, down] {
        ok(&scratch, &format!("backend add {WEB} {at} --method nat --weight 3"));
    }
    wait_for(&scratch, up, Health::Up, Effective::Weight(3));
    wait_for(&scratch, down, Health::Down, Effective::Weight(0));

    let text = ok(&scratch, &format!("health {WEB}"));
    assert!(text.starts_with("SERVICE"), "{text}");
    let heads = ["QUORUM", "BACKEND", "STATE", "SINCE", "WEIGHT", "CHECK", "NEXT", "LATENCY"];
    assert!(heads.iter().all(|head| text.contains(head)), "{text}");
    assert!(text.contains("met     1 of 2"), "{text}");
    let row = cells(&text, down);
    assert_eq!((&*row[2], &*row[4], &*row[5]), ("down", "3 -> 0", "tcp"), "{text}");
    assert_eq!(row.last().unwrap(), "refused");
    assert_eq!(cells(&text, up).last().unwrap(), "ok");
    let list = ok(&scratch, "backend list");
    assert_eq!((cells(&list, up)[3].as_str(), cells(&list, down)[3].as_str()), ("up", "down"));
    assert!(ok(&scratch, "service list").contains("  2         1 of 2  "));
    let found = ok(&scratch, &format!("backend check {WEB} {down}"));
    assert_eq!(cells(&found, down).last().unwrap(), "refused");

    let metrics = metrics(&scratch);
    let of = format!("{{service=\"{WEB}\",real_server=\"{down}\"");
    for series in [
        "lvs_checked_real_servers 2".to_owned(),
        "lvs_checked_real_servers_down 1".to_owned(),
        format!("lvs_service_real_servers_up{{service=\"{WEB}\"}} 1"),
        format!("lvs_service_quorum_lost{{service=\"{WEB}\"}} 0"),
        format!("lvs_real_server_up{of}}} 0"),
        format!("lvs_real_server_weight{of}}} 3"),
        format!("lvs_real_server_effective_weight{of}}} 0"),
        format!("lvs_real_server_downs_total{of}}} 1"),
        format!("lvs_check_failures_total{of},check=\"tcp\",cause=\"refused\"}} "),
        format!("lvs_check_latency_seconds{of},check=\"tcp\"}} 0.0"),
    ] {
        assert!(metrics.contains(&series), "{series} in\n{metrics}");
    }

    // A weight set by hand while it is down is the one that it comes back with.
    ok(&scratch, &format!("ipvsadm -e -t 192.0.2.1:80 -r {down} -m -w 5"));
    assert!(ok(&scratch, "ipvsadm -Ln").contains("Masq    0      "));
    let _again = TcpListener::bind(down).unwrap();
    let back = wait_for(&scratch, down, Health::Up, Effective::Weight(5));
    assert_eq!((back.weight, back.downs), (5, 1));

    ok(&scratch, &format!("service edit {WEB} --check none"));
    assert_eq!(ok(&scratch, "health"), "No real server is checked.\n");
}

#[test]
fn an_operators_decision_goes_over_health_and_stays() {
    let scratch = checking();
    let (_listening, up) = server();
    let (closed, down) = server();
    drop(closed);
    ok(&scratch, &format!("service add {WEB}"));
    let check = "-k tcp --check-interval 200ms --check-timeout 150ms --fall 1 --via direct";
    for at in [up, down] {
        ok(&scratch, &format!("backend add {WEB} {at} --method nat {check}"));
    }
    wait_for(&scratch, down, Health::Down, Effective::Weight(0));
    ok(&scratch, &format!("backend force-up {WEB} {down}"));
    wait_for(&scratch, down, Health::Down, Effective::Weight(1));
    wait_for(&scratch, up, Health::Up, Effective::Weight(1));
    ok(&scratch, &format!("backend maintain {WEB} {up}"));
    wait_for(&scratch, up, Health::Up, Effective::Weight(0));
    let text = ok(&scratch, "health");
    assert_eq!(cells(&text, up)[2], "up, maintenance");
    assert_eq!(cells(&text, down)[2], "down, forced-up");
    assert_eq!(cells(&ok(&scratch, "backend list"), up)[3], "up, maintenance");
    // Checks that come and go do not touch it.
    ok(&scratch, &format!("backend edit {WEB} {up} --check none"));
    assert_eq!(state(&scratch, up).effective, Effective::Weight(0));
    ok(&scratch, &format!("backend enable {WEB} {up}"));
    assert_eq!(state(&scratch, up).effective, Effective::Weight(1));
    ok(&scratch, &format!("backend enable {WEB} {down}"));
    wait_for(&scratch, down, Health::Down, Effective::Weight(0));
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let scratch = checking();
    ok(&scratch, &format!("service add {WEB}"));
    ok(&scratch, &format!("backend add {WEB} 192.0.2.11"));
    for (line, words) in [
        (format!("service edit {WEB} -k gopher:/"), "check gopher:/: type: `gopher' is no type"),
        (format!("service edit {WEB} -k http:x"), "check http:x: path: `x' does not begin with /"),
        (format!("service edit {WEB} --fall 2"), "there is no check to time"),
        (format!("service edit {WEB} -k service"), "`service' is for a backend"),
        (
            format!("service edit {WEB} -k tcp --check-interval 1s --check-timeout 2s"),
            "check tcp: interval: the interval (1s) is shorter than the timeout (2s)",
        ),
        (format!("backend edit {WEB} 192.0.2.11 -k service --rise 2"), "the service says when"),
        (format!("backend check {WEB} 192.0.2.11"), "nothing is checked there"),
        (format!("backend maintain {WEB} 192.0.2.12"), "No such destination"),
        (format!("backend reset {WEB} 192.0.2.12"), "No such destination"),
        ("health tcp:192.0.2.9:80".to_owned(), "No such service"),
    ] {
        let said = refused(&scratch, &line);
        assert!(said.contains(words), "{line}: {said}");
    }
}

#[test]
fn connections_are_reset_on_request() {
    let scratch = checking();
    ok(&scratch, &format!("service add {WEB}"));
    ok(&scratch, &format!("backend add {WEB} 192.0.2.11"));
    assert_eq!(ok(&scratch, &format!("backend reset {WEB} 192.0.2.11")), "0 connections ended\n");
    assert_eq!(scratch.plane.state().resets.len(), 1);
}

fn metrics(scratch: &Scratch) -> String {
    let mut stream = UnixStream::connect(scratch.socket()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: lvs\r\nconnection: close\r\n\r\n").unwrap();
    std::io::read_to_string(stream).unwrap()
}
