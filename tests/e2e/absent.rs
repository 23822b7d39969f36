//! Checks of who gets no packets: real servers that have left the list, and a sorry server that nobody needs
//! go on being checked as clients would reach them.

use std::{fs, net::TcpStream, time::Duration};

use lvs_tests::{assert::eventually, prelude::*};
use serde_json::Value;

use crate::cluster::{Cluster, DR, SOON};

const INTERVAL_MS: u32 = 200;
/// Checks that have to fail before nobody is thought to come back.
const CHECKS: u64 = 8;

/// The entry of the only service.
fn service(cluster: &Cluster) -> Value {
    let listed = cluster.director.lvs_ctl("backend list --json").unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    listed["services"][0].clone()
}

fn wait(cluster: &Cluster, what: &str, is_so: impl Fn(&Value) -> bool) {
    let look = || is_so(&service(cluster)).then_some(());
    eventually(what, SOON, look).unwrap_or_else(|error| {
        panic!("{error:#}: {:#}\n{}", service(cluster), cluster.director.log())
    });
}

/// Packets for addresses that a host does not have.
fn strays(host: &Host) -> u64 {
    let counters = host.netns().exec(&["cat", "/proc/net/snmp"]).unwrap();
    let mut lines = counters.lines().filter(|line| line.starts_with("Ip:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|name| name == "InAddrErrors").unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

fn vip(host: &Host, verb: &str) {
    host.netns().ip(&[format!("address {verb} {}/32 dev lo", DR.vip)]).unwrap();
}

#[test]
fn who_has_no_vip_stays_out_of_the_list_until_it_has_one_and_so_does_a_sorry_server() {
    let cluster = Cluster::manual(Mode::Native);
    let [(name, rip), (sorry_name, sorry_rip)] = DR.servers;
    let host = cluster.topology.host(name);
    let sorry = cluster.topology.host(sorry_name);
    vip(sorry, "del");
    let check = format!("{{ type = \"tcp\", interval = \"{INTERVAL_MS}ms\", fall = 1 }}");
    let file = format!(
        "[[service]]\nlisten = \"tcp:{}:80\"\nscheduler = \"rr\"\ncheck = {check}\n\
         [service.health]\non_down = \"remove\"\nall_down = \"sorry\"\n\
         [service.health.sorry_server]\naddress = \"{sorry_rip}\"\ncheck = {check}\n\
         [[service.backend]]\naddress = \"{rip}\"\n",
        DR.vip
    );
    fs::write(cluster.director.config(), file).unwrap();
    cluster.director.lvs_ctl("reload").unwrap();
    wait(&cluster, "its checks succeed", |service| service["dests"][0]["state"] == "up");
    cluster.client().sequential(DR.to(80), 2).assert_is(&[(name, 2)]);

    vip(host, "del");
    wait(&cluster, "it is removed", |service| service["dests"][0]["effective"] == "absent");
    let cause = "the VIP is not configured on the real server";
    let told = || cluster.director.log().contains(cause).then_some(());
    eventually("the log tells the cause", SOON, told).unwrap();
    for checked in [host, sorry] {
        let before = strays(checked);
        let enough = || (strays(checked) >= before + CHECKS).then_some(());
        eventually("it is checked at the VIP", SOON, enough).unwrap();
    }
    let entry = service(&cluster);
    assert_eq!(entry["dests"][0]["effective"], "absent", "{entry:#}");
    assert!(entry["sorry"].is_null(), "nobody can use it: {entry:#}");
    let log = cluster.director.log();
    let returns = log.lines().filter(|line| line.contains("audit") && line.contains("absent"));
    let returns = returns.filter(|line| !line.contains(" down")).count();
    assert_eq!(returns, 0, "it has never come back: {log}");

    vip(sorry, "add");
    wait(&cluster, "the sorry server is of use", |service| !service["sorry"].is_null());
    cluster.client().sequential(DR.to(80), 3).assert_is(&[(sorry_name, 3)]);
    vip(host, "add");
    wait(&cluster, "it is back", |service| {
        service["dests"][0]["state"] == "up" && service["sorry"].is_null()
    });
    cluster.client().sequential(DR.to(80), 3).assert_is(&[(name, 3)]);
}

#[test]
fn connections_that_nobody_answers_have_their_real_server_checked_at_once() {
    let cluster = Cluster::told(|topology, settings| {
        // Beside the lab's other files; the director reads it when it starts.
        let file = topology.lab().directory().join("passive.toml");
        let text = format!(
            "[health]\npassive = true\n[[service]]\nlisten = \"tcp:{}:80\"\nscheduler = \"rr\"\n\
             check = {{ type = \"tcp\", interval = \"10m\", timeout = \"1s\", fall = 1 }}\n\
             [[service.backend]]\naddress = \"{}\"\n",
            DR.vip, DR.servers[0].1
        );
        fs::write(&file, text).unwrap();
        settings.arguments.extend(["--config".to_owned(), file.display().to_string()]);
    });
    let [(name, _), _] = DR.servers;
    wait(&cluster, "its first check succeeds", |service| service["dests"][0]["state"] == "up");
    cluster.client().sequential(DR.to(80), 2).assert_is(&[(name, 2)]);
    vip(cluster.topology.host(name), "del");
    let knock = || {
        let client = cluster.topology.host("client").netns();
        client.run(|| {
            TcpStream::connect_timeout(&DR.to(80), Duration::from_millis(50)).unwrap_err();
        });
        (service(&cluster)["dests"][0]["state"] == "down").then_some(())
    };
    eventually("it is down long before its next check", SOON, knock).unwrap();
}
