//! Health checks, operators and restarts: who decides, and what is remembered.

use std::fs;

use lvs_tests::{prelude::*, web::Web};
use nix::sys::signal::Signal;

use crate::cluster::{Cluster, DR, NAT, SOON, Way};

const CHECK: &str = "--check http:/ --check-interval 1s --check-timeout 1s --fall 1 --via direct";

/// A cluster whose first real server can be killed; the other stays.
struct Checked {
    first: Web,
    _other: Web,
    cluster: Cluster,
    way: Way,
}

impl Checked {
    fn start(way: Way) -> Self {
        let topology = Topology::manual(Offload::Prepared).unwrap();
        let [first, other] = way
            .servers
            .map(|(name, _)| Web::start(topology.host(name), &Services::usual()).unwrap());
        let cluster = Cluster::with(topology, Vec::new(), Mode::Native);
        cluster.serve(way, "-t", 80, "-s rr");
        let checked = Self { first, _other: other, cluster, way };
        checked.lvs_ctl(&format!("service edit tcp:{}:80 {CHECK}", way.vip));
        checked.wait_for(["up", "up"]);
        checked
    }

    fn lvs_ctl(&self, arguments: &str) -> String {
        self.cluster.director.lvs_ctl(arguments).unwrap()
    }

    /// The cells of both real servers in `lvs-ctl health`.
    fn shown(&self) -> [Vec<String>; 2] {
        let text = self.lvs_ctl("health");
        self.way.servers.map(|(_, rip)| {
            let line = text.lines().find(|line| line.contains(&format!("  {rip}:80  ")));
            let line = line.unwrap_or_else(|| panic!("{rip} in\n{text}"));
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            cells.map(str::to_owned).collect()
        })
    }

    fn wait_for(&self, states: [&str; 2]) {
        let mut last = None;
        let seen = eventually(&format!("{states:?}"), SOON, || {
            let shown = last.insert(self.shown());
            (shown.each_ref().map(|cells| cells[2].as_str()) == states).then_some(())
        });
        seen.unwrap_or_else(|error| panic!("{error:#}: {last:?}"));
    }

    /// The weights that packets meet, and those of the operator.
    fn weights(&self) -> [[String; 2]; 2] {
        let weights = |listing: &str, word: usize| {
            self.way.servers.map(|(_, rip)| {
                let line = listing.lines().find(|line| line.contains(&format!("{rip}:80 ")));
                line.unwrap().split_whitespace().nth(word).unwrap().to_owned()
            })
        };
        let listed = self.cluster.director.ipvsadm("-Ln").unwrap();
        let saved = self.cluster.director.ipvsadm("-Sn").unwrap();
        [weights(&listed, 3), weights(&saved, 7)]
    }
}

#[test]
fn a_real_server_that_hangs_is_down_with_its_cause_and_comes_back_with_the_weight_set_meanwhile() {
    let mut checked = Checked::start(DR);
    checked.first.process().signal(Signal::SIGSTOP).unwrap();
    checked.wait_for(["down", "up"]);
    let [row, healthy] = checked.shown();
    assert_eq!(row[4..6], ["1 -> 0", "http:/"], "{row:?}");
    assert_eq!(row.last().unwrap(), "timeout while waiting for an answer");
    assert_eq!(healthy.last().unwrap(), "ok");
    assert_eq!(checked.weights(), [["0", "1"], ["1", "1"]].map(|it| it.map(str::to_owned)));

    let edit = DR.edit("-t", 80, DR.servers[0].1, 7);
    checked.cluster.director.ipvsadm(&edit).unwrap();
    assert_eq!(checked.weights(), [["0", "1"], ["7", "1"]].map(|it| it.map(str::to_owned)));
    checked.first.process().signal(Signal::SIGCONT).unwrap();
    checked.wait_for(["up", "up"]);
    assert_eq!(checked.weights(), [["7", "1"], ["7", "1"]].map(|it| it.map(str::to_owned)));
}

#[test]
fn a_new_controller_takes_nobody_down_before_its_verdict_and_keeps_what_the_operator_decided() {
    let mut checked = Checked::start(NAT);
    let service = format!("tcp:{}:80", NAT.vip);
    let [(_, one), (name, other)] = NAT.servers;
    checked.lvs_ctl(&format!("backend maintain {service} {other}"));
    checked.wait_for(["up", "up, maintenance"]);
    // Three failures, a second apart: nothing is known of it for two seconds.
    checked.lvs_ctl(&format!("service edit {service} --fall 3"));
    checked.cluster.director.kill().unwrap();
    // From the next start on somebody is told.
    let told = checked.cluster.topology.lab().directory().join("told");
    let script = format!("env > {0}.new; mv {0}.new {0}", told.display());
    let hook = format!("[[hook]]\ncommand = [\"/bin/sh\", \"-c\", {script:?}]\non = [\"down\"]\n");
    fs::write(checked.cluster.director.config(), hook).unwrap();
    checked.first.process().kill().unwrap();
    checked.cluster.director.run().unwrap();
    let seen = checked.weights();
    assert_eq!(seen, [["1", "0"], ["1", "1"]].map(|it| it.map(str::to_owned)));
    checked.wait_for(["down", "up, maintenance"]);
    let words = eventually("the hook is told", SOON, || fs::read_to_string(&told).ok()).unwrap();
    for word in [
        "LVS_EVENT=down".to_owned(),
        format!("LVS_SERVICE={service}"),
        format!("LVS_RIP={one}"),
        "LVS_BEFORE=1".to_owned(),
        "LVS_AFTER=0".to_owned(),
        "LVS_CAUSE=http:/: refused".to_owned(),
    ] {
        assert!(words.lines().any(|line| line == word), "{word} in\n{words}");
    }
    // What was down stays down in the next one; whoever was maintained is let in.
    checked.cluster.director.stop().unwrap();
    checked.cluster.director.run().unwrap();
    assert_eq!(checked.weights()[0], ["0", "0"]);
    checked.lvs_ctl(&format!("backend enable {service} {other}"));
    checked.cluster.director.wait_until_resolved().unwrap();
    checked.cluster.client().sequential(NAT.to(80), 4).assert_is(&[(name, 4)]);
    checked.lvs_ctl(&format!("backend force-up {service} {one}"));
    checked.wait_for(["down, forced-up", "up"]);
    assert_eq!(checked.weights()[0], ["1", "1"]);
}
